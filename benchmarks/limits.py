"""Figures that are no ratio to a raw statement: bad tokens, growth, imports, the event loop."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import sqlite3
import statistics
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from multiprocessing.synchronize import Event
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any

import reads
from coatcheck import AsyncSessionManager, SessionManager
from databases import Store
from databases.sql import TABLE
from databases.sqlite import SQLiteStore
from rounds import Contestant, race, ratios, spread
from sessions import OPTIONS


def malformed(manager: SessionManager, token: str, *, rounds: int, operations: int) -> list[str]:
    """Refusals a second of what is no token."""
    kinds = {
        "wrong shape": ("not a token at all", 500_000),
        "bad checksum": (token[:-6] + ("AAAAAA" if token[-6:-1] != "AAAAA" else "BBBBBA"), 300_000),
        "not canonical": (token[:-1] + chr(ord(token[-1]) + 1), 300_000),
    }
    lines: list[str] = []
    for kind, (bad, least) in kinds.items():
        seconds: list[float] = []
        for _ in range(rounds):
            start = perf_counter()
            for _ in range(operations):
                manager.validate(bad)
            seconds.append((perf_counter() - start) / operations)
        rates = sorted(1 / second for second in seconds)
        lines.append(
            f"| malformed, {kind} | {statistics.median(rates):,.0f}/s "
            f"({rates[0]:,.0f} to {rates[-1]:,.0f}) | at least {least:,}/s |"
        )
    return lines


def growth(small: Store, large: Store, *, rounds: int, operations: int) -> str:
    """`validate` in units of the raw read, at many sessions against few. All four in turn."""
    with small.manager() as few, large.manager() as many:
        raw_few, raw_many = small.raw(), large.raw()
        contestants: dict[str, Contestant] = {
            "few, raw": _timing(raw_few.read, small.keys, operations),
            "few": _timing(reads.validating(few), small.tokens, operations),
            "many, raw": _timing(raw_many.read, large.keys, operations),
            "many": _timing(reads.validating(many), large.tokens, operations),
        }
        taken = race(contestants, rounds=rounds)
        raw_few.close()
        raw_many.close()
    at_few = ratios(taken["few"], taken["few, raw"])
    at_many = ratios(taken["many"], taken["many, raw"])
    grown = ratios(at_many, at_few)
    mark = "" if statistics.median(grown) <= 1.15 else " **missed**"
    return (
        f"| validate at {large.sessions:,} sessions against {small.sessions:,}, each in raw reads "
        f"| {spread(grown)} | at most 1.15 ×{mark} |"
    )


def _timing(
    work: Callable[[Sequence[Any]], None], items: Sequence[Any], operations: int
) -> Contestant:
    return lambda: reads.timed(work, random.sample(items, operations))


def imports(*, rounds: int) -> str:
    """What `from coatcheck import SessionManager` adds to the start of a process."""
    added: list[float] = []
    for _ in range(rounds + 1):
        with_it = _start("from coatcheck import SessionManager")
        added.append((with_it - _start("pass")) * 1000)
    added = added[1:]  # the first one wrote the bytecode
    return (
        f"| import, above `python -c pass` | {statistics.median(added):.0f} ms "
        f"({min(added):.0f} to {max(added):.0f}) | at most 60 ms |"
    )


def _start(statement: str) -> float:
    start = perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return perf_counter() - start


def event_loop(store: SQLiteStore, *, windows: int, seconds: float) -> str:
    """The longest that the loop stood still in a window of time while it validated and another
    process wrote and checkpointed without rest. In turn with it the same loop without a store:
    that much is the machine's own."""
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    writer = context.Process(target=_write_without_rest, args=(store.path, stop))
    writer.start()
    try:
        validating, idle = asyncio.run(_longest_pauses(store, windows, seconds))
    finally:
        stop.set()
        writer.join()
    return (
        f"| event loop held up at the longest in {seconds:g} s of validations, another process "
        f"writing | {statistics.median(validating):.1f} ms "
        f"({min(validating):.1f} to {max(validating):.1f}); a loop without a store "
        f"{statistics.median(idle):.1f} ms ({min(idle):.1f} to {max(idle):.1f}) | at most 5 ms |"
    )


async def _longest_pauses(
    store: SQLiteStore, windows: int, seconds: float
) -> tuple[list[float], list[float]]:
    async with AsyncSessionManager.open(store.url, **OPTIONS) as manager:

        async def validate() -> None:
            assert await manager.validate(random.choice(store.tokens))

        async def nothing() -> None:
            sum(range(500))  # about as long as a validation

        validating: list[float] = []
        idle: list[float] = []
        for _ in range(windows):
            validating.append(await _longest(validate, seconds))
            idle.append(await _longest(nothing, seconds))
    return validating, idle


async def _longest(work: Callable[[], Awaitable[None]], seconds: float) -> float:
    """Milliseconds: the longest of the single turns of the loop."""
    end, longest = monotonic() + seconds, 0.0
    while monotonic() < end:
        start = perf_counter()
        await work()
        longest = max(longest, perf_counter() - start)
        await asyncio.sleep(0)
    return longest * 1000


def _write_without_rest(path: Path, stop: Event) -> None:
    connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    update = f"UPDATE {TABLE} SET last_used_at = last_used_at + 1 WHERE user_id = 'user-1'"
    while not stop.is_set():
        for _ in range(50):
            connection.execute(update)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
