"""Thousands of operations in one history, by 32 workers on four sessions, can be explained."""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from coatcheck import BackendInfo, Changes, Record, SessionRef, Where, hookimpl
from coatcheck_backends.memory import MemoryBackend
from coatcheck_conformance import QUICK, Face, Harness
from coatcheck_conformance.clock import MILLISECOND
from coatcheck_conformance.frame.stage import Stage
from coatcheck_conformance.frame.together import raw
from coatcheck_conformance.histories import Recorder, check_linearizable
from harnesses import OURS, MemoryHarness, PlainHarness, faces_of

OPERATIONS = {"quick": 2_000, "default": 10_000, "thorough": 100_000}
"""On each backend, under all managers together, by the profile."""
WORKERS = 32
SLOTS = 4
WEIGHTS = {"validate": 80, "update": 16, "revoke": 4}
PATIENCE = timedelta(seconds=60)
"""As the deadline: what is tested here is the order of things, not how long they take."""


class Slots:
    """Four places, each with a session; whoever revokes one issues the next in its place."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.recorder = Recorder()
        self.values = itertools.count()
        self.slots: list[tuple[Any, str]] = []

    def value(self) -> str:
        return f"v{next(self.values)}"

    def plan(self, seed: int, number: int) -> Iterator[tuple[str, int]]:
        """What a worker does, drawn from its seed."""
        dice = random.Random(seed)
        kinds = dice.choices(tuple(WEIGHTS), tuple(WEIGHTS.values()), k=number)
        for kind in kinds:
            self.stage.clock.move(10 * MILLISECOND)  # so that now and then a touch is due
            yield kind, dice.randrange(SLOTS)

    # The same twice, since a worker waits in one case and awaits in the other.

    def issue(self, sessions: Any, slot: int) -> None:
        value = self.value()
        issued = sessions.issue(f"user-{slot}", method="password", scopes={value})
        with self.recorder.call(issued.session.id, "issue", value) as call:
            call.answer = True
        self.slots[slot] = issued.session.id, issued.token

    def work(self, sessions: Any, seed: int, number: int) -> None:
        for kind, slot in self.plan(seed, number):
            session_id, token = self.slots[slot]
            value = self.value() if kind == "update" else None
            with self.recorder.call(session_id, kind, value) as call:
                if kind == "validate":
                    call.answer = _seen(sessions.validate(token))
                elif kind == "update":
                    call.answer = bool(sessions.update(session_id, scopes={value}))
                else:
                    call.answer = sessions.revoke(session_id)
            if kind == "revoke" and call.answer:
                with self.recorder.call(session_id, "validate") as call:
                    call.answer = _seen(sessions.validate(token))
                self.issue(sessions, slot)

    async def issue_async(self, sessions: Any, slot: int) -> None:
        value = self.value()
        issued = await sessions.issue(f"user-{slot}", method="password", scopes={value})
        with self.recorder.call(issued.session.id, "issue", value) as call:
            call.answer = True
        self.slots[slot] = issued.session.id, issued.token

    async def work_async(self, sessions: Any, seed: int, number: int) -> None:
        for kind, slot in self.plan(seed, number):
            session_id, token = self.slots[slot]
            value = self.value() if kind == "update" else None
            with self.recorder.call(session_id, kind, value) as call:
                if kind == "validate":
                    call.answer = _seen(await sessions.validate(token))
                elif kind == "update":
                    call.answer = bool(await sessions.update(session_id, scopes={value}))
                else:
                    call.answer = await sessions.revoke(session_id)
            if kind == "revoke" and call.answer:
                with self.recorder.call(session_id, "validate") as call:
                    call.answer = _seen(await sessions.validate(token))
                await self.issue_async(sessions, slot)


def _seen(answer: Any) -> str | None:
    return next(iter(answer.scopes)) if answer else None


def play(stage: Stage, operations: int) -> Recorder:
    """Everybody at once; the history."""
    slots = Slots(stage)
    manager = stage.manager(deadline=PATIENCE, lifetime=None, touch_interval=timedelta(seconds=5))
    sessions, share = raw(manager), operations // WORKERS + 1
    slots.slots = [(None, "")] * SLOTS
    if stage.asynchronous:

        async def everybody() -> None:
            for slot in range(SLOTS):
                await slots.issue_async(sessions, slot)
            tasks = (slots.work_async(sessions, seed, share) for seed in range(WORKERS))
            await asyncio.gather(*tasks)

        stage.runner.run(everybody())
        return slots.recorder
    for slot in range(SLOTS):
        slots.issue(sessions, slot)
    failures: list[BaseException] = []
    start = threading.Barrier(WORKERS)

    def worker(seed: int) -> None:
        start.wait()
        try:
            slots.work(sessions, seed, share)
        except BaseException as error:  # noqa: BLE001 - raised below, in the test's thread
            failures.append(error)

    threads = [threading.Thread(target=worker, args=(seed,)) for seed in range(WORKERS)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # the interpreter's own would let each call end undisturbed
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    if failures:
        raise failures[0]
    return slots.recorder


class OffTheLoop(MemoryBackend):
    """Hooks that run in threads: on the loop nothing would be side by side."""

    @hookimpl
    def info(self) -> BackendInfo:
        own = super().info()
        return BackendInfo(own.name, own.spec_version, own.capabilities)


class GivingWay(MemoryBackend):
    """Lets other threads go first before and after each step, which takes no time."""

    @hookimpl
    def load(self, session_id: UUID) -> Record | None:
        return self._between(super().load, session_id)

    @hookimpl
    def touch(self, session_id: UUID, now: int) -> bool:
        return self._between(super().touch, session_id, now)

    @hookimpl
    def update(self, session_id: UUID, changes: Changes, where: Where) -> Record | None:
        return self._between(super().update, session_id, changes, where)

    @hookimpl
    def delete(self, session_id: UUID, where: Where) -> SessionRef | None:
        return self._between(super().delete, session_id, where)

    @staticmethod
    def _between(hook: Callable[..., Any], *args: object) -> Any:
        time.sleep(0)
        answer = hook(*args)
        time.sleep(0)
        return answer


class InThreads(MemoryHarness):
    """A store in memory that is asked from many threads at once, under either manager."""

    def __init__(self, face: Face) -> None:
        self.backend = GivingWay() if face is Face.SYNC else OffTheLoop()


def _opened(kind: type[Harness], face: Face) -> Harness:
    return InThreads(face) if kind is MemoryHarness else kind()


CONCURRENT = [
    pytest.param(kind, face, id=f"{kind.name}, {face}")
    for kind in OURS
    if kind is not PlainHarness
    for face in faces_of(kind)
]


@pytest.mark.parametrize(("kind", "face"), CONCURRENT)
def test_what_32_workers_did_at_once_can_be_explained(
    kind: type[Harness], face: Face, pytestconfig: pytest.Config
) -> None:
    profile = pytestconfig.getoption("--conformance-profile")
    operations = OPERATIONS[profile] // len(faces_of(kind)) + 1
    with closing(_opened(kind, face)) as harness, closing(Stage(harness, face, QUICK)) as stage:
        stage.clear()
        history = play(stage, operations).operations
    assert len(history) >= operations
    kinds = {operation.kind for operation in history}
    assert kinds == {"issue", "validate", "update", "revoke"}
    at_once = sum(a.returned > b.called for a, b in itertools.pairwise(_by_call(history)))
    # Of calls that never overlap any checker approves. How many do, the scheduler decides:
    # on a busy machine 89 of 10,000 were seen.
    assert at_once > operations // 1000, "they did run side by side"
    check_linearizable(history)


def _by_call(history: list[Any]) -> list[Any]:
    return sorted(history, key=lambda operation: operation.called)
