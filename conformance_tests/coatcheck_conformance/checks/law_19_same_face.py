"""The synchronous and the asynchronous manager give the same results for the same history."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from coatcheck import CoatcheckError, Rejection, Session, SessionRef

from ..frame.expecting import equal
from ..frame.observers import Recorder
from ..frame.people import ENDS, METHODS, SCOPES, SECOND
from ..frame.registry import check
from ..frame.stage import PEPPERS, Stage
from ..frame.trying import for_all
from ..harness import Face
from ..model import facts_of

USERS = st.sampled_from(("ann", "bob", "", None, "a\nb"))
PLACE = st.integers(0, 3)
FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "user_id": st.sampled_from(("ann", "bob", None)),
        "method": st.sampled_from(METHODS),
        "scope": st.sampled_from((*SCOPES, "two words")),
        "live": st.booleans(),
    },
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "scopes": st.frozensets(st.sampled_from(SCOPES)) | st.just("read"),
        "metadata": st.sampled_from(({}, {"a": [1, None]}, None)),
        "inactivity_timeout": st.sampled_from((None, 5 * SECOND, timedelta(0))),
    },
)
SAME = st.sampled_from(({"user_id": "ann"}, {"method": "password"}, {"everyone": True}, {}))
EDITS = st.sampled_from(("", "", "", "x", "=", None))
STEPS = st.one_of(
    st.tuples(st.just("issue"), USERS, st.sampled_from(METHODS), st.sampled_from(ENDS)),
    st.tuples(st.just("issue"), st.just("ann"), st.just("password"), st.sampled_from(ENDS)),
    st.tuples(st.just("validate"), PLACE, st.booleans(), EDITS, st.sampled_from((0, 5000))),
    st.tuples(st.just("get"), PLACE),
    st.tuples(st.just("find"), FILTERS, st.sampled_from((100, 1, 0, -1)), st.none() | PLACE),
    st.tuples(st.just("count"), FILTERS),
    st.tuples(st.just("update"), PLACE, FIELDS),
    st.tuples(st.just("update_all"), SAME, FIELDS),
    st.tuples(st.just("revoke"), PLACE),
    st.tuples(st.just("revoke_all"), SAME, st.lists(PLACE, max_size=2)),
    st.tuples(st.just("purge"), st.booleans(), st.booleans(), st.sampled_from((1, 1000, 0))),
    st.tuples(st.just("pepper_status")),
    st.tuples(st.just("ping")),
    st.tuples(st.just("validate"), PLACE, st.just(False), st.just(""), st.just(5000)),
    st.tuples(st.just("purge"), st.just(True), st.just(True), st.just(1000)),
    st.tuples(st.just("move"), st.sampled_from((1, 5000, 10_000, 20_000))),
)


START = [
    ("issue", user, "password", ends)
    for user, ends in (("ann", ENDS[0]), ("bob", ENDS[3]), ("ann", ENDS[2]))
]

CODA: list[tuple[Any, ...]] = [
    ("validate", 1, False, "", 5000),
    ("move", 10_000),
    *(("get", place) for place in range(4)),
    ("find", {}, 100, None),
    ("update", 0, {"scopes": frozenset({"read"})}),
    ("purge", True, True, 1000),
    ("revoke", 0),
    ("revoke", 0),
    ("pepper_status",),
]
"""Whatever came before, it ends with one of each."""


class Play:
    """A history played on one manager, with ids told by the order of issue."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.recorder = stage.remembered("recorder", Recorder)
        self.recorder.told.clear()
        self.sessions = stage.manager(plugins=(self.recorder,), fallback_peppers=(PEPPERS[1],))
        self.tokens: list[str] = []
        self.ids: list[Any] = []

    def play(self, steps: list[tuple[Any, ...]]) -> list[object]:
        answers: list[object] = []
        for name, *arguments in steps:
            self.stage.clock.move(timedelta(milliseconds=1))  # ids sort by the instant of issue
            answer: object
            try:
                answer = self._step(name, *arguments)
            except CoatcheckError as error:
                answer = (type(error).__name__, str(error))
            answers.append((name, self._told(answer), self._told(list(self.recorder.told))))
        return answers

    def _step(self, name: str, *arguments: Any) -> Any:
        if name == "move":
            self.stage.clock.move(timedelta(milliseconds=arguments[0]))
            return None
        call = getattr(self.sessions, name)
        if name == "issue":
            user, method, ends = arguments
            issued = call(user, method=method, **ends)
            self.tokens.append(issued.token)
            self.ids.append(issued.session.id)
            return issued.session
        if name == "validate":
            place, touch, edit, wait = arguments
            self.stage.clock.move(timedelta(milliseconds=wait))
            token = self._at(self.tokens, place)
            return call(token and edit is not None and token + edit, touch=touch)
        if name in ("get", "revoke"):
            return call(self._at(self.ids, arguments[0]))
        if name == "find":
            filters, limit, place = arguments
            after = None if place is None else self._at(self.ids, place)
            return call(limit=limit, after=after, **filters)
        if name == "count":
            return call(**arguments[0])
        if name == "update":
            return call(self._at(self.ids, arguments[0]), **arguments[1])
        if name == "update_all":
            return call(**arguments[0], **arguments[1])
        if name == "revoke_all":
            filters, places = arguments
            keep = [self._at(self.ids, place) for place in places if self.ids]
            return sorted(call(keep=keep, **filters))
        if name == "purge":
            expired, inactive, size = arguments
            return call(expired=expired, inactive=inactive, batch_size=size)
        return call()

    @staticmethod
    def _at(values: list[Any], place: int) -> Any:
        return values[place % len(values)] if values else None

    def _told(self, answer: object) -> object:
        """The answer with places for ids, so that two histories compare."""
        if isinstance(answer, Session):
            facts = vars(facts_of(answer))
            return {name: self._told(value) for name, value in facts.items()}
        if isinstance(answer, Rejection):
            return ("rejection", answer.reason, self._told(answer.session_id))
        if isinstance(answer, SessionRef | tuple | list):
            return (type(answer).__name__, [self._told(item) for item in answer])  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        if answer in self.ids:
            return f"session {self.ids.index(answer)}"
        if isinstance(answer, str):
            for place, session_id in enumerate(self.ids):
                answer = answer.replace(str(session_id), f"session {place}")
        return (type(answer).__name__, answer)


@check(19)
def both_managers_give_the_same_answers_and_tell_the_same(stage: Stage) -> None:
    other = stage.remembered("counterpart", lambda: _counterpart(stage))

    @for_all(stage, steps=st.lists(STEPS, min_size=4, max_size=9))
    def check(steps: list[Any]) -> None:
        steps = [*START, *steps, *CODA]
        first = Play(stage).play(steps)
        other.clear()
        second = Play(other).play(steps)
        equal(first, second)


def _counterpart(stage: Stage) -> Stage:
    """The same store under the other manager."""
    face = Face.SYNC if stage.asynchronous else Face.ASYNC
    other = Stage(stage.harness, face, stage.profile)
    stage.at_close(other.close)
    return other
