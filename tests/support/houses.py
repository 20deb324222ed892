"""What clients do, and what they are told: sign in, show a token, change scopes, sign out.

Written once, as a generator of requests, for whoever runs it (see `loads`).
"""

from __future__ import annotations

import itertools
import random
import threading
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from coatcheck import BackendUnavailable, OutcomeUnknown
from coatcheck_conformance.histories import Operation, Recorder

SLOTS = 6
WEIGHTS = {"validate": 70, "again": 12, "update": 12, "revoke": 4, "purge": 1, "pass by": 1}
LONG_LIFE = 80
"""Operations after which a session is revoked, or left alone until the end."""
MANY_LOST = 3
"""Lost answers after which a session is. Each may have happened at any later time, and what
could have happened must all be tried."""


class Request(NamedTuple):
    """A call of the manager."""

    method: str
    args: tuple[Any, ...]
    options: dict[str, Any] = {}  # noqa: RUF012 - nobody changes it


class Rest(NamedTuple):
    """Do nothing for so many seconds."""

    seconds: float


class Cancelled(Exception):  # noqa: N818
    """The caller gave up: it was done or not, and if not, it may be until the deadline."""


LOST = (OutcomeUnknown, Cancelled)
NOT_DONE = "not done"
"""As the answer of what raised `BackendUnavailable`: nothing happened."""

Steps = Generator[Request | Rest, Any, Any]


@dataclass
class Guest:
    """A session, and what its clients know of it."""

    id: Any
    token: str
    age: int = 0
    lost: int = 0


class House:
    """A few places, each with a session on which all clients work.

    :ivar guests: all sessions that were ever issued here.
    :ivar over: set when no client is to go on.
    """

    def __init__(self, pace: float) -> None:
        self.pace = pace
        self.recorder = Recorder()
        self.guests: list[Guest] = []
        self.over = threading.Event()
        self._slots: list[Guest | None] = [None] * SLOTS
        self._departed = deque[Guest](maxlen=30)
        self._values = itertools.count()

    @property
    def history(self) -> list[Operation]:
        """What happened, or may have."""
        return [each for each in self.recorder.operations if each.answer != NOT_DONE]

    def client(self, seed: int) -> Steps:
        dice = random.Random(seed)
        while not self.over.is_set():
            yield Rest(dice.random() * 2 * self.pace)
            slot = dice.randrange(SLOTS)
            guest = self._slots[slot]
            if guest is None:
                yield from self._issue(slot, dice)
                continue
            [kind] = dice.choices(tuple(WEIGHTS), tuple(WEIGHTS.values()))
            if guest.age > LONG_LIFE or guest.lost >= MANY_LOST:
                kind = "leave"
            guest.age += 1
            yield from getattr(self, f"_{kind.replace(' ', '_')}")(guest, slot, dice)

    def _issue(self, slot: int, dice: random.Random) -> Steps:
        value = self._value()
        try:
            issued = yield Request("issue", (f"user-{slot}",), self._new(value))
        except (BackendUnavailable, *LOST):
            return  # nobody holds its token
        guest = Guest(issued.session.id, issued.token)
        with self.recorder.call(guest.id, "issue", value) as call:
            call.answer = True
        self.guests.append(guest)
        self._slots[slot] = guest

    def _validate(self, guest: Guest, slot: int, dice: random.Random) -> Steps:
        yield from self.look(guest, touch=dice.random() < 0.5)

    def _again(self, guest: Guest, slot: int, dice: random.Random) -> Steps:
        """Somebody who was signed out tries once more."""
        if self._departed:
            yield from self.look(dice.choice(tuple(self._departed)))

    def look(self, guest: Guest, *, touch: bool = False) -> Steps:
        asked = Request("validate", (guest.token,), {"touch": touch})
        yield from self._recorded(guest, "validate", None, asked, seen)

    def _update(self, guest: Guest, slot: int, dice: random.Random) -> Steps:
        value = self._value()
        asked = Request("update", (guest.id,), {"scopes": {value}})
        yield from self._recorded(guest, "update", value, asked, bool)

    def _revoke(self, guest: Guest, slot: int, dice: random.Random) -> Steps:
        """Until it is acknowledged, as whoever signs out because of a theft would."""
        done = yield from self._recorded(
            guest, "revoke", None, Request("revoke", (guest.id,)), bool
        )
        if done is not None:
            self._departed.append(guest)
            self._vacate(slot, guest)

    def _leave(self, guest: Guest, slot: int, dice: random.Random) -> Steps:
        """Revoked now, or never again looked at until the end."""
        if guest.lost < MANY_LOST and dice.random() < 0.7:
            yield from self._revoke(guest, slot, dice)
        else:
            self._vacate(slot, guest)

    def _purge(self, guest: Guest, slot: int, dice: random.Random) -> Steps:
        try:
            yield Request("purge", ())
        except (BackendUnavailable, *LOST):
            return

    def _pass_by(self, guest: Guest, slot: int, dice: random.Random) -> Steps:
        """Something for the purges."""
        soon = {**self._new("x"), "lifetime": timedelta(milliseconds=50)}
        try:
            yield Request("issue", ("passer-by",), soon)
        except (BackendUnavailable, *LOST):
            return

    def _recorded(
        self, guest: Guest, kind: Any, value: Any, asked: Request, read: Callable[[Any], Any]
    ) -> Steps:
        """The answer; `None` if it was lost, or if nothing was done."""
        try:
            with self.recorder.call(guest.id, kind, value) as call:
                try:
                    call.answer = read((yield asked))
                except BackendUnavailable:
                    call.answer = NOT_DONE
                    return None
        except LOST:
            if kind != "validate":
                guest.lost += 1
            return None
        return call.answer

    def _vacate(self, slot: int, guest: Guest) -> None:
        if self._slots[slot] is guest:
            self._slots[slot] = None

    def _value(self) -> str:
        return f"v{next(self._values)}"

    @staticmethod
    def _new(value: str) -> dict[str, Any]:
        return {"method": "password", "scopes": {value}}


def seen(answer: Any) -> str | None:
    """The value that a validation saw."""
    return next(iter(answer.scopes)) if answer else None
