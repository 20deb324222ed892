"""What many clients did at once can be explained: recorded histories, judged afterwards."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from inspect import isawaitable
from typing import Any, Final, NamedTuple
from uuid import UUID

from coatcheck import (
    AsyncSessionManager,
    Capability,
    DuplicateSession,
    Record,
    SessionManager,
    Where,
)

from ..clock import SECOND
from ..frame.between import Jostled
from ..frame.clients import Client, together
from ..frame.expecting import equal
from ..frame.explaining import Unexplained, explain
from ..frame.registry import check_of
from ..frame.stage import PEPPERS, Stage
from ..frame.trying import Counterexample
from ..histories import Operation, Recorder
from ..relay import RequiredOnly, relay_over

OPERATIONS: Final = 80
"""In the middle of each history; what begins and ends it comes on top."""
MOST_SESSIONS: Final = 4
CLIENTS: Final = (8, 12, 16, 24, 32)
AT_ONCE: Final = 8
"""Callers of the same insert, and of the same revocation."""
WEIGHTS: Final = {"validate": 70, "update": 24, "revoke": 6}
REVOCATION, SCOPES, NO_RETURN = 5, 6, 9
OF_READING: Final = (REVOCATION, SCOPES, NO_RETURN)
"""The laws of what a validation sees."""
PATIENCE: Final = timedelta(seconds=60)
"""As the deadline: what is tried here is the order of things, not how long they take."""


class Desk(NamedTuple):
    """A manager, the relay that it is on, and what is behind that."""

    manager: Any
    relay: RequiredOnly
    store: Jostled


class Place(NamedTuple):
    """Where clients find the session of the moment."""

    user: str
    id: Any
    token: str


@dataclass
class Crowd:
    """The clients of one history. Whoever revokes a session issues the next in its place.

    :param in_turn: they do the same one after another.
    """

    stage: Stage
    desks: tuple[Desk, ...]
    dice: random.Random
    in_turn: bool = False

    def __post_init__(self) -> None:
        self.recorder = Recorder()
        self.numbers = itertools.count()
        self.places: list[Place] = []
        self.clients = self.dice.choice(CLIENTS)

    @property
    def manager(self) -> Any:
        """That of any desk: their first peppers differ, so that hashes are rewritten."""
        return self.dice.choice(self.desks).manager

    def play(self) -> list[Operation]:
        """The history, and at last the readings of what was stored when nobody wrote."""
        self._open()
        share = -(-OPERATIONS // self.clients)
        self._together([self.work(share) for _ in range(self.clients)])
        readings = [self.reading(place) for place in self.places]
        place = self.dice.choice(self.places)
        self._together([self.leave(place) for _ in range(AT_ONCE)])
        return readings

    def judge(self) -> None:
        """Raise `Unexplained` if no order explains what they do."""
        readings = self.play()
        gone = set[UUID]().union(*(desk.store.untouched for desk in self.desks))
        found = {record.id for place in self.places for record in self._stored(place)}
        explain(self.recorder.operations, readings, gone, found)

    def _together(self, clients: list[Client]) -> list[Any]:
        if self.in_turn:
            return [together(self.stage, [client])[0] for client in clients]
        return together(self.stage, clients)

    def _open(self) -> None:
        sessions = self.dice.randint(1, MOST_SESSIONS)
        self.places = [Place(f"user-{n}", None, "") for n in range(sessions)]
        self._insert_at_once()
        for n in range(1, sessions):
            self._together([self.issue(n)])

    def _insert_at_once(self) -> None:
        """The first session, whose record many insert. One of them succeeds."""
        manager, relay, _ = self.desks[0]
        taken: list[Record] = []
        relay.instead["insert"] = taken.append
        issued = self._together([_issue(manager, self.places[0].user, "v")])[0]
        relay.instead.clear()
        with self.recorder.call(issued.session.id, "issue", "v") as call:
            desks = itertools.islice(itertools.cycle(self.desks), AT_ONCE)
            did = self._together([_insertion(self.stage, desk, taken[0]) for desk in desks])
            call.answer = True
        equal(did.count(True), 1, f"of {AT_ONCE} inserts of one id at once, one succeeds", law=9)
        self.places[0] = Place(self.places[0].user, issued.session.id, issued.token)

    def _stored(self, place: Place) -> list[Record]:
        """What is found of its user behind the managers' backs."""
        found: list[Record] = self.stage.look("find", Where(user_id=place.user), None, 100)
        return found

    def issue(self, n: int) -> Client:
        """A new session in this place."""
        value = f"v{next(self.numbers)}"
        user = self.places[n].user
        issued = yield from _issue(self.manager, user, value)
        with self.recorder.call(issued.session.id, "issue", value) as call:
            call.answer = True
        self.places[n] = Place(user, issued.session.id, issued.token)

    def work(self, number: int) -> Client:
        """So many calls, on whatever session there is."""
        kinds = self.dice.choices(tuple(WEIGHTS), tuple(WEIGHTS.values()), k=number)
        for kind in kinds:
            self.stage.clock.move(SECOND)  # so that now and then a touch is due
            n = self.dice.randrange(len(self.places))
            place = self.places[n]
            if kind == "validate":
                yield from self.validate(place)
            elif kind == "update":
                yield from self.update(place)
            elif (yield from self.leave(place)):
                yield from self.issue(n)

    def validate(self, place: Place) -> Client:
        with self.recorder.call(place.id, "validate") as call:
            answer = yield partial(self.manager.validate, place.token)
            call.answer = _scope(answer)

    def update(self, place: Place) -> Client:
        value = f"v{next(self.numbers)}"
        with self.recorder.call(place.id, "update", value) as call:
            answer = yield partial(self.manager.update, place.id, scopes={value})
            call.answer = bool(answer)

    def leave(self, place: Place) -> Client:
        """Revoke the session, and look whether it is gone."""
        with self.recorder.call(place.id, "revoke") as call:
            answer = yield partial(self.manager.revoke, place.id)
            call.answer = revoked = bool(answer)
        yield from self.validate(place)
        return revoked

    def reading(self, place: Place) -> Operation:
        """What is stored of a session, while nobody writes."""
        with self.recorder.call(place.id, "validate") as call:
            found = (record for record in self._stored(place) if record.id == place.id)
            call.answer = next(map(_scope, found), None)
        return self.recorder.operations[-1]


def _scope(session: Any) -> str | None:
    return " ".join(sorted(session.scopes)) if session else None


def _issue(manager: Any, user: str, value: str) -> Client:
    return (yield partial(manager.issue, user, method="password", scopes={value}))


def _insertion(stage: Stage, desk: Desk, record: Record) -> Client:
    insert: Callable[..., Any] = desk.relay.insert
    if stage.asynchronous and not stage.info.asynchronous:
        insert = partial(asyncio.to_thread, insert)
    try:
        yield partial(insert, record)
    except DuplicateSession:
        return False
    return True


def _desks(stage: Stage) -> tuple[Desk, ...]:
    """Two managers, on two backends where the store is shared; each one's first pepper is the
    other's fallback."""

    def make() -> tuple[Desk, ...]:
        is_shared = Capability.SHARED in stage.info.capabilities
        backends = [stage.backend, stage._opened() if is_shared else stage.backend]
        peppers = [PEPPERS[:2], PEPPERS[1::-1]]
        return tuple(_desk(stage, *each) for each in zip(backends, peppers, strict=True))

    desks: tuple[Desk, ...] = stage.remembered("desks", make)
    return desks


def _desk(stage: Stage, backend: Any, peppers: tuple[str, ...]) -> Desk:
    store = Jostled(backend, random.Random(stage.seed))
    relay = relay_over(store)
    kind = AsyncSessionManager if stage.asynchronous else SessionManager
    manager: Any = kind(
        relay, pepper=peppers[0], fallback_peppers=peppers[1:], clock=stage.clock,
        deadline=PATIENCE, lifetime=None, touch_interval=10 * SECOND,
    )  # fmt: skip
    if stage.asynchronous:
        stage.wait(manager.start())

    def close() -> None:
        closing = manager.close()
        if isawaitable(closing):
            stage.wait(closing)

    # Not before the stage's own: with the manager its backend is closed.
    stage.at_close(close)
    return Desk(manager, relay, store)


def _crowd(stage: Stage, number: int, *, in_turn: bool = False) -> Crowd:
    """The clients of the history with this number, who find the stage empty."""
    stage.clear()
    desks = _desks(stage)
    for desk in desks:
        desk.relay.reset()
    return Crowd(stage, desks, random.Random(f"{stage.seed} {number}"), in_turn)


def _is_broken_in_turn(stage: Stage, number: int) -> bool:
    try:
        _crowd(stage, number, in_turn=True).judge()
    except Exception:  # noqa: BLE001 - whatever it is, it came without anybody else
        return True
    return False


def _blamed(error: Unexplained, in_turn: bool, is_shared: bool) -> int | None:
    """The law that was broken; none where it is broken `in_turn` too, and not a matter of what
    a validation sees: then the checks of the laws themselves say which."""
    if error.law in OF_READING:
        # What one process still sees, another may have to forget in its own time.
        may_be_stale = in_turn or is_shared or error.is_race
        is_back = error.law == REVOCATION and not may_be_stale
        return NO_RETURN if is_back else error.law
    return None if in_turn else error.law


@check_of("concurrency", shares=False)
def what_many_clients_did_at_once_can_be_explained(stage: Stage) -> None:
    stage.need(Capability.LINEARIZABLE)
    for number in range(-(-stage.profile.histories // stage.faces)):
        crowd = _crowd(stage, number)
        try:
            crowd.judge()
        except Unexplained as error:
            drawn = {"clients": str(crowd.clients), "sessions": str(len(crowd.places))}
            in_turn = _is_broken_in_turn(stage, number)
            is_shared = Capability.SHARED in stage.info.capabilities
            error.law = _blamed(error, in_turn, is_shared)
            if in_turn:
                drawn["order"] = "any, even one call after the other"
            raise Counterexample(error, drawn, error.lines()) from error
        stage.examples += 1
