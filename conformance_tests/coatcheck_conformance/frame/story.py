"""What happened in an example, so that a failure can tell it as a short history."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from inspect import iscoroutinefunction
from typing import Any, NamedTuple
from uuid import UUID

from coatcheck import IssuedSession, Record, Rejection, Session, SessionRef, Where

from ..faces import blocking
from .expecting import in_words

LONGEST_LINE = 300
TOKEN = re.compile("[a-z][a-z0-9]{1,15}_[A-Za-z0-9_-]{40,}")


class Event(NamedTuple):
    """A call and what it gave."""

    name: str
    args: tuple[Any, ...]
    options: dict[str, Any]
    answer: Any


class Story:
    """The calls of an example, in their order. They are put into words only for a failure."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Nothing has happened yet."""
        self.events = []

    def tell(self, name: str, args: tuple[Any, ...], options: dict[str, Any], answer: Any) -> None:
        """A call has ended."""
        with self._lock:
            self.events.append(Event(name, args, options, answer))

    def forget(self) -> None:
        """The last call is no part of the story."""
        self.events.pop()

    def issued(self) -> list[UUID]:
        """The ids of all sessions that were issued so far."""
        return [e.answer.session.id for e in self.events if isinstance(e.answer, IssuedSession)]

    def lines(self) -> list[str]:
        """A line for each call, with letters for ids and tokens."""
        names = self.names()
        return [self._line(event, names) for event in self.events]

    def names(self) -> Names:
        """What the sessions of this story are called."""
        names = Names()
        for event in self.events:
            names.learn(event.answer)
        return names

    @staticmethod
    def _line(event: Event, names: Names) -> str:
        words = [names.of(each) for each in event.args]
        words += [f"{key}={names.of(value)}" for key, value in event.options.items()]
        line = f"{event.name}({', '.join(words)}) -> {names.of(event.answer)}"
        return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 4]} ..."


class Names:
    """Short names for what is random in every run: ids, tokens and hashes."""

    def __init__(self) -> None:
        self._words: dict[str, str] = {}
        self._ids: dict[UUID, str] = {}

    def learn(self, answer: Any) -> None:
        """A session that was issued gets the next letter."""
        if isinstance(answer, IssuedSession):
            name = f"session {chr(ord('A') + len(self._ids) % 26)}"
            self._ids.setdefault(answer.session.id, name)
            self._words[answer.token] = f"<token of {name}>"

    def of(self, value: Any) -> str:
        """A value in a few words."""
        if isinstance(value, IssuedSession):
            return f"{self.of(value.session.id)}, {_validity(value.session)}"
        if isinstance(value, Session):
            scopes = f"scopes {self.of(value.scopes)}"
            return f"Session({self.of(value.id)}, {value.user_id!r}, {scopes}, {_validity(value)})"
        if isinstance(value, Rejection):
            return f"rejected: {value.reason}"
        if isinstance(value, Record | SessionRef):
            return f"{type(value).__name__}({self.of(value.id)}, {value.user_id!r}, ...)"
        if isinstance(value, Where):
            given = {name: each for name, each in value._asdict().items() if each is not None}
            return f"Where({', '.join(f'{name}={self.of(each)}' for name, each in given.items())})"
        if isinstance(value, UUID):
            return self._ids.get(value, str(value))
        if isinstance(value, datetime):
            return _instant(value)
        if isinstance(value, timedelta):
            return _span(value)
        if isinstance(value, set | frozenset):
            # Sorted, since the order of a set is another one in every process.
            return "{" + ", ".join(sorted(map(self.of, value))) + "}"  # pyright: ignore[reportUnknownArgumentType]
        if isinstance(value, dict):
            pairs = (f"{key!r}: {self.of(each)}" for key, each in value.items())  # pyright: ignore[reportUnknownVariableType]
            return "{" + ", ".join(pairs) + "}"
        if isinstance(value, list | tuple) and not hasattr(value, "_fields"):  # pyright: ignore[reportUnknownArgumentType]
            return f"[{', '.join(self.of(each) for each in value)}]"  # pyright: ignore[reportUnknownVariableType]
        if isinstance(value, BaseException):
            return self._without_ids(in_words(value))
        return self._text(value) if isinstance(value, str) else repr(value)  # pyright: ignore[reportUnknownArgumentType]

    def of_both(self, expected: object, actual: object) -> tuple[str, str]:
        """Two values that were to be equal; of two rows only the fields in which they are not.
        `...` is no value."""
        if isinstance(expected, Record) and isinstance(actual, Record):
            rows = expected._asdict(), actual._asdict()
            unlike = [name for name in rows[0] if rows[0][name] != rows[1][name]]
            # A hash is to be seen nowhere.
            expected, actual = (
                {n: "..." if n == "key_hash" else row[n] for n in unlike} for row in rows
            )
        one, other = ("" if value is ... else self.of(value) for value in (expected, actual))
        return one, other

    def _text(self, text: str) -> str:
        if text in self._words:
            return self._words[text]
        return "<another token>" if TOKEN.fullmatch(text) else repr(text)

    def _without_ids(self, text: str) -> str:
        for session_id, name in self._ids.items():
            # Whoever names an id may have said already what it is of.
            text = text.replace(f"session {session_id}", name).replace(str(session_id), name)
        return text


def _validity(session: Session) -> str:
    end = session.valid_until
    return "valid for ever" if end is None else f"valid until {_instant(end)}"


def _instant(instant: datetime) -> str:
    return instant.isoformat(" ", "microseconds" if instant.microsecond % 1000 else "milliseconds")


def _span(span: timedelta) -> str:
    """To the microsecond, in the units in which one would say it: `365 days`, `1.5 s`."""
    length = abs(span)
    minutes, seconds = divmod(length.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    exact = f"{seconds}.{length.microseconds:06}".rstrip("0").rstrip(".")
    days = f"{length.days} {'day' if length.days == 1 else 'days'}"
    parts = (days, f"{hours} h", f"{minutes} min", f"{exact} s")
    said = [part for part in parts if not part.startswith("0 ")] or ["0 s"]
    return ("-" if span < timedelta() else "") + " ".join(said)


class Narrated:
    """A manager whose calls block, whichever it is, and are told to a story.

    :ivar manager: the manager itself, for those who call it from many places at once.
    """

    def __init__(
        self, manager: Any, story: Story, runner: asyncio.Runner | None, name: str = ""
    ) -> None:
        self.manager = manager
        self._story, self._runner = story, runner
        self._prefix = f"{name}." if name else ""

    def named(self, name: str) -> Narrated:
        """The same manager, by a name in the story."""
        return Narrated(self.manager, self._story, self._runner, name)

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self.manager, name)
        if not callable(attribute):
            return attribute
        call: Callable[..., Any] = attribute
        if self._runner is not None and iscoroutinefunction(call):
            call = blocking(call, self._runner)
        told = self._telling(name, call)
        self.__dict__[name] = told  # looked up once
        return told

    def _telling(self, call_name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        name = self._prefix + call_name

        def telling(*args: Any, **options: Any) -> Any:
            try:
                answer = call(*args, **options)
            except Exception as error:
                self._story.tell(name, args, options, error)
                raise
            self._story.tell(name, args, options, answer)
            return answer

        return telling
