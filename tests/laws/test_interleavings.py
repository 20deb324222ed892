"""Two calls in every order in which their steps can meet. Steps are data: no thread is needed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator
from datetime import timedelta
from typing import Any

import pytest

from broken_stores import (
    MovesBack,
    OldDeadlines,
    UpsertingRewrite,
    UpsertingTouch,
    WholeRowRewrite,
    WholeRowTouch,
)
from coatcheck import CoatcheckError, Rejection, Session, SessionManager
from coatcheck._flows.steps import Ask
from coatcheck_backends.memory import MemoryBackend
from coatcheck_conformance.clock import Clock
from coatcheck_conformance.histories import Operation, check_linearizable, interleavings
from coatcheck_conformance.relay import Relay, RequiredOnly
from stages import FAILURES, PEPPERS

SECOND = timedelta(seconds=1)


class Undriven(SessionManager):
    """A manager that, once it is open, hands its flows out instead of running them."""

    opened = False

    def _run(self, flow: Any) -> Any:
        return flow if self.opened else super()._run(flow)


class Stand:
    """A relay and the managers on it; every scene puts a store of its own behind the relay."""

    def __init__(self, cover: type[RequiredOnly]) -> None:
        self.relay = cover(MemoryBackend())
        self.clock = Clock()
        self.older = SessionManager(self.relay, pepper=PEPPERS[1], clock=self.clock)
        self.sessions: Any = Undriven(
            self.relay, pepper=PEPPERS[0], fallback_peppers=(PEPPERS[1],), clock=self.clock
        )


class Scene:
    """One session, issued under an older pepper a while ago, so that a validation has to load,
    touch and rewrite."""

    def __init__(self, stand: Stand, backend: MemoryBackend) -> None:
        self.backend = stand.relay.backend = backend
        self.relay, self.clock, self.sessions = stand.relay, stand.clock, stand.sessions
        self.clock.reset()
        self.issued = stand.older.issue("user", method="password", scopes={"v0"},
                                        metadata={"old": 1}, lifetime=1000 * SECOND,
                                        inactivity_timeout=100 * SECOND)  # fmt: skip
        self.id = self.issued.session.id
        self.clock.move(50 * SECOND)
        self.sessions.opened = True
        self.ticks = itertools.count()
        issue = Operation(self.id, "issue", "v0", True, next(self.ticks), next(self.ticks))
        self.history = [issue]
        self.shortened = False

    def at(self, seconds: int) -> Any:
        """The manager, with its clock set; each call reads it once, when it begins."""
        self.clock.set(self.clock.start + (50 + seconds) * SECOND)
        return self.sessions


# By name: what begins the call, and as what its answer goes into the history.
Begin = Callable[[Scene], Generator[Any, Any, Any]]
CALLS: dict[str, tuple[Begin, Any, str | None]] = {
    "validate": (lambda s: s.at(0).validate(s.issued.token), "validate", None),
    "validate later": (lambda s: s.at(20).validate(s.issued.token), "validate", None),
    "poll": (lambda s: s.at(10).validate(s.issued.token, touch=False), "validate", None),
    "update scopes": (lambda s: s.at(5).update(s.id, scopes={"v1"}), "update", "v1"),
    "update scopes again": (lambda s: s.at(6).update(s.id, scopes={"v2"}), "update", "v2"),
    "update metadata": (lambda s: s.at(5).update(s.id, metadata={"new": 1}), None, None),
    "shorten": (lambda s: s.at(5).update(s.id, expires_at=s.clock() + 7 * SECOND), None, None),
    "shorten timeout": (lambda s: s.at(0).update(s.id, inactivity_timeout=60 * SECOND), None, None),
    "update all": (lambda s: s.at(5).update_all(user_id="user", metadata={"all": 1}), None, None),
    "revoke": (lambda s: s.at(0).revoke(s.id), "revoke", None),
    "revoke again": (lambda s: s.at(1).revoke(s.id), "revoke", None),
    "revoke all": (lambda s: s.at(0).revoke_all(user_id="user"), "revoke", None),
    "issue another": (lambda s: s.at(0).issue("other", method="x"), None, None),
    "purge": (lambda s: s.at(0).purge(), None, None),
}  # fmt: skip


class Call:
    """A call under way: `step` takes it from one question to the store to the next."""

    def __init__(self, scene: Scene, name: str) -> None:
        self.scene, self.name = scene, name
        begin, self.kind, self.value = CALLS[name]
        self.flow = begin(scene)
        self.answer: Any = None
        self.over = False
        self.next: Any = None
        self._called = 0

    def step(self) -> None:
        """Ask the store once, and go on to the next question."""
        if self.next is None:
            self._called = next(self.scene.ticks)
            self._send(lambda: self.flow.send(None))
        elif isinstance(self.next, Ask):
            try:
                answer = getattr(self.scene.relay, self.next.hook)(*self.next.args)
            except CoatcheckError as error:
                failure = error
                self._send(lambda: self.flow.throw(failure))
            else:
                self._send(lambda: self.flow.send(answer))
        else:
            computed = self.next.function(*self.next.args)
            self._send(lambda: self.flow.send(computed))

    def _send(self, advance: Callable[[], Any]) -> None:
        try:
            self.next = advance()
        except StopIteration as done:
            self.answer, self.over = done.value, True
            # An end is no state that the history knows. One that came between load and touch is
            # told as "unknown", since the touch says no more than that.
            ended = isinstance(done.value, Rejection) and self.scene.shortened
            if self.kind and not ended:
                seen = next(iter(done.value.scopes)) if isinstance(done.value, Session) else None
                self._note(seen if self.kind == "validate" else bool(done.value))

    def _note(self, answer: Any) -> None:
        times = self._called, next(self.scene.ticks)
        operation = Operation(self.scene.id, self.kind, self.value, answer, *times)
        self.scene.history.append(operation)


def play(scene: Scene, names: tuple[str, ...], choose: Callable[[], int]) -> list[Call]:
    """Two calls, step by step, in the order that `choose` says."""
    scene.shortened = any(name.startswith("shorten") for name in names)
    calls = [Call(scene, name) for name in names]
    while not any(call.over for call in calls):
        calls[choose()].step()
    for call in calls:
        while not call.over:
            call.step()
    return calls


def check(scene: Scene, calls: list[Call]) -> None:
    """Laws 4, 5, 8, 9 and 10, after whatever order it was."""
    stored = scene.backend._records.get(scene.id)
    done = {call.name: call.answer for call in calls}
    revoked = any(call.kind == "revoke" and call.answer for call in calls)
    assert (stored is None) is revoked, "gone if it was revoked, and only then"
    others = [record for record in scene.backend._records.values() if record.id != scene.id]
    assert len(others) == ("issue another" in done), "nothing but issue creates a session"
    check_linearizable(scene.history)
    if stored is None:
        return
    issued = scene.issued.session
    expected_metadata = {'{"old":1}'}
    if done.get("update metadata"):
        expected_metadata = {'{"new":1}'}
    if done.get("update all"):
        expected_metadata = {'{"all":1}'} | (expected_metadata - {'{"old":1}'})
    assert stored.metadata in expected_metadata, "no change of a field is lost"
    if done.get("shorten"):
        assert stored.expires_at == _ms(scene, 62), "a shortening holds"
    else:
        assert stored.expires_at == _ms(scene, 1000)
    shortened = bool(done.get("shorten timeout"))
    assert stored.inactivity_timeout == (60_000 if shortened else 100_000)
    uses = [
        call.answer.last_used_at
        for call in calls
        if call.name in ("validate", "validate later") and call.answer
    ]
    used = max([issued.created_at, *uses])
    assert stored.last_used_at == (used - scene.clock.start) // timedelta(milliseconds=1) + _ms(
        scene, 0
    ), "the latest use counts"
    if uses:
        first = scene.sessions._core.config.keyring.first.id
        assert stored.pepper_id == first
        assert f"keyid={first}$" in stored.key_hash
    scene.sessions.opened = False
    scene.at(0)
    answer = scene.sessions.validate(scene.issued.token, touch=False)
    assert answer, "it is still authentic and live"


def _ms(scene: Scene, seconds: int) -> int:
    start = Clock(scene.clock.start)
    return start.milliseconds + 1000 * seconds


PAIRS = tuple(itertools.combinations(CALLS, 2))


def _play_all(
    make: Callable[[], MemoryBackend], cover: type[RequiredOnly], pairs: Any = PAIRS
) -> int:
    number, stand = 0, Stand(cover)
    for pair in pairs:

        def run(choose: Callable[[], int], pair: tuple[str, ...] = pair) -> None:
            scene = Scene(stand, make())
            check(scene, play(scene, pair, choose))

        number += sum(1 for _ in interleavings(run))
    return number


@pytest.mark.parametrize("cover", [Relay, RequiredOnly])
def test_two_calls_keep_the_laws_in_every_order_of_their_steps(
    cover: type[RequiredOnly], record_property: Callable[[str, object], None]
) -> None:
    number = _play_all(MemoryBackend, cover)
    assert number > 5 * len(PAIRS)
    numbers = {"pairs of calls": len(PAIRS), "orders of their steps": number}
    record_property("table", ("interleavings", cover.__name__, numbers))


@pytest.mark.parametrize(
    "backend",
    [WholeRowTouch, WholeRowRewrite, UpsertingTouch, UpsertingRewrite, OldDeadlines, MovesBack],
    ids=lambda backend: backend.__name__,
)
def test_a_store_that_writes_what_it_read_is_found_out(backend: type[MemoryBackend]) -> None:
    with pytest.raises(FAILURES):
        _play_all(backend, Relay)
