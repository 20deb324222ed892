"""Clients at work while a server fails, and the history of what they were told.

    with Load([Door(lambda: SessionManager.open(url, pepper=PEPPER, deadline=…)), …]) as load:
        load.works(1.0)
        server.kill()
        server.start()
        load.recovers()
    load.check(linearizable=True)

Each door is a manager of either kind with some clients of its own; all of them work on the same
few sessions. What a client does is written once (see `houses`), and two drivers run it: in a
thread, or as a task of a loop.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from coatcheck import AsyncSessionManager, BackendUnavailable, OutcomeUnknown
from coatcheck_conformance.histories import check_linearizable
from houses import LOST, Cancelled, Guest, House, Request, Rest
from kept import check_kept

GRACE = 0.5
"""Seconds that a call may take past its deadline."""
IN_A_ROW = 20


def often(short: int) -> int:
    """How often a fault happens: as `COATCHECK_FAULTS` says, or a few times."""
    return int(os.environ.get("COATCHECK_FAULTS", "0")) or short


@dataclass
class Door:
    """A manager of either kind.

    :param make: opens it.
    :param clients: how many use it at once.
    :param cancelling: of an asynchronous one, the share of the calls that are given up.
    """

    make: Callable[[], Any]
    clients: int = 3
    cancelling: float = 0.0
    manager: Any = None
    in_a_row: int = 0
    """Calls that succeeded since the last that did not."""
    threads: list[threading.Thread] = field(default_factory=list)


class Load:
    """All clients of all doors.

    :param deadline: of the managers, in seconds.
    """

    def __init__(self, doors: Sequence[Door], *, deadline: float, pace: float = 0.015) -> None:
        self.doors = doors
        self.deadline = deadline
        self.house = House(pace)
        self.calls = 0
        self.failures = Counter[str]()
        self.wrong: list[str] = []
        self.longest = 0.0
        self.slowest_recovery = 0.0
        self._ready = threading.Barrier(len(doors) + 1)
        self._lock = threading.Lock()

    # Those who run it

    def _note(
        self, door: Door, asked: Request, began: float, error: Exception | None = None
    ) -> None:
        took = time.monotonic() - began
        with self._lock:
            self.calls += 1
            self.longest = max(self.longest, took)
            if took > self.deadline + GRACE:
                self.wrong.append(f"{asked.method} took {took:.2f} s: {error!r}")
            if error is None:
                door.in_a_row += 1
                return
            door.in_a_row = 0
            self.failures[type(error).__name__] += 1
            if not isinstance(error, (BackendUnavailable, *LOST)) or (
                asked.method == "validate" and isinstance(error, OutcomeUnknown)
            ):
                self.wrong.append(f"{asked.method}: {error!r} from {error.__cause__!r}")

    def _run(self, door: Door, seed: int) -> None:
        steps = self.house.client(seed)
        step = next(steps, None)
        while step is not None:
            try:
                answer = self._take(door, step)
            except Exception as error:  # noqa: BLE001 - `_note` has judged it
                step = _after(steps.throw, _ours(error))
            else:
                step = _after(steps.send, answer)

    def _take(self, door: Door, step: Request | Rest) -> Any:
        if isinstance(step, Rest):
            return time.sleep(step.seconds)
        began = time.monotonic()
        try:
            answer = getattr(door.manager, step.method)(*step.args, **step.options)
        except Exception as error:
            self._note(door, step, began, error)
            raise
        self._note(door, step, began)
        return answer

    async def _run_async(self, door: Door, seed: int) -> None:
        steps, dice = self.house.client(seed), random.Random(seed)
        step = next(steps, None)
        while step is not None:
            try:
                answer = await self._take_async(door, step, dice)
            except Exception as error:  # noqa: BLE001 - `_note` has judged it
                step = _after(steps.throw, _ours(error))
            else:
                step = _after(steps.send, answer)

    async def _take_async(self, door: Door, step: Request | Rest, dice: random.Random) -> Any:
        if isinstance(step, Rest):
            return await asyncio.sleep(step.seconds)
        began = time.monotonic()
        call = getattr(door.manager, step.method)(*step.args, **step.options)
        if dice.random() < door.cancelling:
            call = _given_up(call, dice.random() * 0.006)
        try:
            answer = await call
        except Exception as error:
            self._note(door, step, began, error)
            raise
        self._note(door, step, began)
        return answer

    def _open(self, door: Door, number: int) -> None:
        """In a thread of its own: its clients, to their end."""
        try:
            self._let_in(door, number)
        except Exception as error:  # noqa: BLE001 - shown by the test's own thread
            self.wrong.append(f"door {number}: {error!r} from {error.__cause__!r}")
            self._ready.abort()

    def _let_in(self, door: Door, number: int) -> None:
        seeds = range(100 * number, 100 * number + door.clients)
        door.manager = door.make()
        if isinstance(door.manager, AsyncSessionManager):
            asyncio.run(self._open_async(door, seeds))
            return
        door.threads = [threading.Thread(target=self._run, args=(door, seed)) for seed in seeds]
        self._ready.wait()
        for thread in door.threads:
            thread.start()
        for thread in door.threads:
            thread.join()

    async def _open_async(self, door: Door, seeds: range) -> None:
        async with door.manager:
            await asyncio.to_thread(self._ready.wait)
            await asyncio.gather(*(self._run_async(door, seed) for seed in seeds))
        # What was cancelled has until its deadline.
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            _, left = await asyncio.wait(others, timeout=self.deadline + GRACE)
            self.wrong.extend(f"a task left behind: {task}" for task in left)

    # What a test does

    def __enter__(self) -> Self:
        self._openers = [
            threading.Thread(target=self._open, args=(door, n), name=f"door {n}")
            for n, door in enumerate(self.doors)
        ]
        for opener in self._openers:
            opener.start()
        try:
            self._ready.wait(30)
        except threading.BrokenBarrierError:
            raise AssertionError(self.wrong) from None
        return self

    def __exit__(self, *_: object) -> None:
        """No client goes on; then every session is looked at once more, and the managers end."""
        self.house.over.set()
        for opener in self._openers:
            opener.join()
        blocking = [
            each for each in self.doors if not isinstance(each.manager, AsyncSessionManager)
        ]
        for guest in self.house.guests:
            self._look_at_last(guest, blocking[0])
        for door in blocking:
            door.manager.close()

    def _look_at_last(self, guest: Guest, door: Door) -> None:
        steps = self.house.look(guest)
        try:
            _after(steps.send, self._take(door, next(steps)))
        except (BackendUnavailable, *LOST) as error:
            self.wrong.append(f"at the end: {error!r}")

    def works(self, seconds: float) -> None:
        """Let it work so long, which it does."""
        before = self.calls
        time.sleep(seconds)
        assert self.calls > before, "nobody is at work"

    def recovers(self, within: float = 10.0) -> float:
        """Wait until twenty calls in a row have succeeded at each door, for so many seconds at
        most, and say how many it took."""
        began = time.monotonic()
        with self._lock:
            for door in self.doors:
                door.in_a_row = 0
        while any(door.in_a_row < IN_A_ROW for door in self.doors):
            took = time.monotonic() - began
            assert took < within, f"{[door.in_a_row for door in self.doors]} after {took:.1f} s"
            time.sleep(0.005)
        took = time.monotonic() - began
        self.slowest_recovery = max(self.slowest_recovery, took)
        return took

    def check(self, *, linearizable: bool) -> None:
        """Nothing that was acknowledged is undone; every failure was one of ours and in time."""
        assert not self.wrong, self.wrong
        check_kept(self.house.history)
        if linearizable:
            check_linearizable(self.house.history)

    def tell(self, what: str, *, checked: str = "kept, linearizable") -> None:
        """One line with the figures of a test."""
        kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(self.failures.items())) or "none"
        clients = f"{sum(door.clients for door in self.doors)} clients"
        recovery = f"; 20 in a row after at most {self.slowest_recovery:.2f} s"
        tell(
            f"{what}: {self.calls:,} calls by {clients} on {len(self.house.guests)} sessions"
            f"; failures: {kinds}; longest call {self.longest:.2f} s of at most "
            f"{self.deadline + GRACE:.1f} s{recovery if self.slowest_recovery else ''}"
            f"; checked: {checked}"
        )


def tell(line: str) -> None:
    """Show a line, which `-s` lets through."""
    print(f"\n  {line}", end=" ", flush=True)  # noqa: T201


async def _given_up(call: Any, seconds: float) -> Any:
    task = asyncio.ensure_future(call)
    asyncio.get_running_loop().call_later(seconds, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        raise Cancelled from None


def _ours(error: Exception) -> Exception:
    """What a client can deal with; of anything else nobody knows what it means."""
    return error if isinstance(error, (BackendUnavailable, *LOST)) else OutcomeUnknown(repr(error))


def _after(go_on: Callable[[Any], Any], what: Any) -> Any:
    """The next step of a generator, or `None` at its end."""
    try:
        return go_on(what)
    except StopIteration:
        return None
