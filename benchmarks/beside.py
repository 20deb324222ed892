"""Validations beside a purge of many sessions in another process: what a request may feel of it."""

from __future__ import annotations

import multiprocessing
import statistics
from collections.abc import Callable, Sequence
from itertools import islice
from multiprocessing.synchronize import Event
from random import choice
from time import perf_counter
from typing import Any

import reads
from coatcheck import SessionManager
from databases import Store
from databases.store import CHUNK
from sessions import OPTIONS

SLICES = 7
"""Parts of the purge's time, each with percentiles of its own: the rounds of this figure."""


def figure(store: Store, *, ended: int) -> str:
    """The slowest hundredth of validations against that of raw reads, in turn, call by call."""
    raw = store.raw()
    records = iter(store.source.ended(ended))
    while chunk := list(islice(records, CHUNK)):
        raw.fill([store.row_of(record) for record in chunk])
    store.settle()
    with store.manager() as manager:
        theirs, mine = _while_purging(store, raw.read, reads.validating(manager))
    raw.close()
    pairs = list(zip(_percentiles(theirs), _percentiles(mine), strict=True))
    ratios = [ours / theirs for theirs, ours in pairs]
    held, longest = statistics.median(ratios) <= 2, max(mine)
    mark = "" if held and longest <= 50_000 else " **missed**"
    return (
        f"| p99 of validate while another process purges {ended:,}, in raw reads' p99 "
        f"| {statistics.median(ratios):.2f} × ({min(ratios):.2f} to {max(ratios):.2f}); "
        f"{statistics.median(ours for _, ours in pairs) / 1000:.2f} ms, "
        f"at the longest {longest / 1000:.1f} ms of {len(mine):,} calls "
        f"(raw {max(theirs) / 1000:.1f} ms) | at most 2 ×, no call over 50 ms{mark} |"
    )


def _while_purging(
    store: Store, read: Callable[[Sequence[Any]], None], validate: Callable[[Sequence[str]], None]
) -> tuple[list[float], list[float]]:
    """Microseconds of each raw read and of each validation until the purge is done."""
    context = multiprocessing.get_context("spawn")
    ready, begin, done = context.Event(), context.Event(), context.Event()
    purger = context.Process(target=_purge, args=(store.url, ready, begin, done))
    purger.start()
    ready.wait()
    theirs: list[float] = []
    mine: list[float] = []
    begin.set()
    while not done.is_set():
        theirs.append(_timed(read, choice(store.keys)))
        mine.append(_timed(validate, choice(store.tokens)))
    purger.join()
    return theirs, mine


def _timed(work: Callable[[Sequence[Any]], None], item: Any) -> float:
    items = (item,)
    start = perf_counter()
    work(items)
    return (perf_counter() - start) * 1e6


def _purge(url: str, ready: Event, begin: Event, done: Event) -> None:
    try:
        with SessionManager.open(url, **OPTIONS) as manager:
            ready.set()
            begin.wait()
            manager.purge()
    finally:
        ready.set()
        done.set()


def _percentiles(times: list[float]) -> list[float]:
    """The 99th of each slice."""
    share = len(times) // SLICES
    slices = [times[n * share : (n + 1) * share] for n in range(SLICES)]
    return [sorted(each)[len(each) * 99 // 100] for each in slices]
