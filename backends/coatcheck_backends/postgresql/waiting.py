"""Waiting for psycopg no longer than the deadline.

psycopg does its work in generators that say for what they wait. Ours lets such a generator
end at the deadline: a server that is frozen, or a network that swallows everything, would
otherwise hold the caller for ever, past every timeout that the server or the kernel has. And
it does not ask the server to cancel anything, since that asks the one that does not answer.
"""

from __future__ import annotations

from collections.abc import Generator
from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg import waiting

from .errors import Expired

T = TypeVar("T")

INTERVAL = 0.1
"""Seconds between two looks at the clock, as psycopg has it for Ctrl-C."""


def until(end: float, generator: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
    """A generator of psycopg's that raises `Expired` once it waited past `end`."""
    try:
        wanted = next(generator)
        while True:
            ready = yield wanted
            if not ready and monotonic() >= end:
                raise Expired
            wanted = generator.send(ready)
    except StopIteration as done:
        result: T = done.value
        return result


def _interval(end: float) -> float:
    """How long to wait before the next look at the clock."""
    return min(INTERVAL, max(0.001, end - monotonic()))


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection on which no statement takes longer than until `end`."""

    end = float("inf")

    def wait(self, gen: Any, *_: Any, **__: Any) -> Any:
        return waiting.wait(until(self.end, gen), self.pgconn.socket, _interval(self.end))

    def __del__(self, *_: Any) -> None:
        """Nothing: psycopg would warn of those that a forked child left alone."""


class AsyncConnection(psycopg.AsyncConnection[tuple[Any, ...]]):
    """The same for asyncio."""

    end = float("inf")

    async def wait(self, gen: Any, *_: Any, **__: Any) -> Any:
        return await waiting.wait_async(
            until(self.end, gen), self.pgconn.socket, _interval(self.end)
        )

    def __del__(self, *_: Any) -> None:
        """Nothing, as above."""
