"""coatcheck against its peers: one token, validated in turn on the same server.

Synchronous peers race with the synchronous manager, asynchronous ones with the asynchronous.
Each round gives a ratio of the peer's time to ours.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import sample
from typing import Any

import reads
from coatcheck import AsyncSessionManager
from databases import Site, Store
from peers import PEERS, Peer, Place
from rounds import Contestant, race, ratios, spread
from sessions import OPTIONS

TIMES_FASTER = {"sqlite": 8.0, "postgresql": 3.0}
SLOW_ON_SQLITE = {"fastapi-users": 20.0, "django-rest-knox": 20.0}
"""Those that ours is to leave further behind there."""
HASHES_NOTHING = "py-key-value"
Work = Callable[[Sequence[Any]], object]
RAW, SYNC, ASYNC = "the raw driver", "coatcheck, sync", "coatcheck, async"
FEW = 50
"""Validations at the least in a round."""


@dataclass(frozen=True)
class Row:
    """What is said of a contestant."""

    name: str
    microseconds: float
    in_raw: tuple[float, ...]
    in_ours: tuple[float, ...] = ()
    least: float | None = None

    @property
    def holds(self) -> bool:
        """Whether ours is as much faster as the project wants."""
        return self.least is None or statistics.median(self.in_ours) >= self.least

    def __str__(self) -> str:
        times = spread(self.in_ours) if self.in_ours else ""
        least = "" if self.least is None else f"{self.least:g} ×"
        mark = "" if self.holds else " **missed**"
        return (
            f"| {self.name} | {self.microseconds:,.1f} | {statistics.median(self.in_raw):.1f} × "
            f"| {times} | {least}{mark} |"
        )


def rows(store: Store, site: Site, *, rounds: int, seconds: float) -> list[Row]:
    """Ours and every peer that has the store, each for so many seconds in a round."""
    with asyncio.Runner() as runner:
        place = Place(store.name, site.url if not store.is_server else store.url,
                      store.sessions, runner)  # fmt: skip
        peers = [open_peer(place) for open_peer in PEERS[store.name]]
        store.settle()
        taken = _raced(store, peers, runner, rounds, seconds)
        for peer in peers:
            peer.close()
    found = [_row(taken, name) for name in (RAW, SYNC, ASYNC)]
    for peer in peers:
        least = 1.0 if HASHES_NOTHING in peer.name else TIMES_FASTER.get(store.name)
        if store.name == "sqlite":
            least = SLOW_ON_SQLITE.get(peer.name.partition(" ")[0], least)
        found.append(_row(taken, peer.name, ASYNC if peer.asynchronous else SYNC, least))
    return found


def table(found: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| validates one token | µs | in raw reads | in ours (lowest to highest) | at least |",
        "| --- | --: | --: | --: | --: |",
    ]
    return "\n".join(lines + [str(row) for row in found])


def _raced(
    store: Store, peers: list[Peer], runner: asyncio.Runner, rounds: int, seconds: float
) -> dict[str, list[float]]:
    connection = store.raw()
    # Where there are two drivers, the one that the asynchronous peers use: asyncpg.
    asynchronous = AsyncSessionManager.open(list(store.async_urls.values())[-1], **OPTIONS)
    runner.run(asynchronous.start())
    validate = reads.async_validating(asynchronous)
    with store.manager() as manager:
        works: dict[str, tuple[Work, Sequence[Any]]] = {
            RAW: (connection.read, store.keys),
            SYNC: (reads.validating(manager), store.tokens),
            ASYNC: (lambda tokens: runner.run(validate(tokens)), store.tokens),
            **{peer.name: (peer.validate, peer.tokens) for peer in peers},
        }
        contestants = {name: _contestant(*work, seconds) for name, work in works.items()}
        taken = race(contestants, rounds=rounds)
    runner.run(asynchronous.close())
    connection.close()
    return taken


def _contestant(work: Work, items: Sequence[Any], seconds: float) -> Contestant:
    """With as many validations as take so long: a fast one and a slow one have the same
    stretch of the machine's moods."""
    work(sample(items, FEW))
    took = reads.timed(work, sample(items, FEW))
    number = min(len(items), max(FEW, int(seconds * 1e6 / took)))
    return lambda: reads.timed(work, sample(items, number))


def _row(
    taken: dict[str, list[float]], name: str, ours: str | None = None, least: float | None = None
) -> Row:
    return Row(
        name,
        statistics.median(taken[name]),
        ratios(taken[name], taken[RAW]),
        ratios(taken[name], taken[ours]) if ours else (),
        least,
    )
