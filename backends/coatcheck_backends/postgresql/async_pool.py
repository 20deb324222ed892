"""The connections of an asynchronous backend: at most so many, each used by one task at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from coatcheck import BackendError, BackendUnavailable, remaining

from .._forks import renew_after_fork
from ..sql.operations import Result
from .errors import ALL_IN_USE, not_connected
from .greeting import Greeted
from .location import Driver


class AsyncLink(Protocol):
    """What pool and store know of a connection, whichever driver it is of."""

    driver: Driver
    greeting: Greeted
    patience: int | None
    """What it was settled for, in milliseconds, if it was."""

    async def run(self, sql: str, parameters: tuple[object, ...]) -> Result:
        """Run one statement, which is a transaction of its own. Raises the driver's errors.
        Cancelled at the deadline, it must be discarded."""
        ...

    async def begin_migration(self) -> Any:
        """The driver's connection, for SQLAlchemy."""
        ...

    def is_usable(self, idle: float) -> bool:
        """It was used in the last `idle` seconds, and nothing came from the server since."""
        ...

    def is_whole(self) -> bool:
        """After an error: it can go on as if nothing had been."""
        ...

    def discard(self) -> None:
        """Close it at once."""
        ...

    def abandon(self) -> None:
        """In a forked child: close the child's copy of the socket, and tell the server nothing."""
        ...


class AsyncPool:
    """As `Pool`, on one event loop; on another one, or in a forked child, it begins anew."""

    def __init__(self, connect: Callable[[], Awaitable[AsyncLink]], size: int, idle: float) -> None:
        self._connect = connect
        self._size = size
        self._trusted_for = idle
        self._closed = False
        self._begin(None)
        renew_after_fork(self)

    def _begin(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self._loop = loop
        self._idle: list[AsyncLink] = []
        self._links: set[AsyncLink] = set()
        self._made = 0  # or being made
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> AsyncLink:
        """A connection that was alive a moment ago."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._move(loop)
        while True:
            link = self._idle.pop() if self._idle else await self._take_slowly(loop)
            if link.is_usable(self._trusted_for):
                return link
            self.discard(link)

    def give_back(self, link: AsyncLink) -> None:
        """The caller is done."""
        if link not in self._links or self._closed:
            self.discard(link)
            return
        self._idle.append(link)
        self._wake_one()

    def discard(self, link: AsyncLink) -> None:
        """The connection is of no use any more."""
        link.discard()
        if link in self._links:
            self._links.discard(link)
            self._made -= 1
            self._wake_one()

    def close(self) -> None:
        """Close all connections; one that is in use, when it is given back."""
        self._closed = True
        self.drop_idle()

    def drop_idle(self) -> None:
        """Trust none of the idle ones any more."""
        while self._idle:
            self.discard(self._idle.pop())

    def after_fork(self) -> None:
        """In the child: none of the parent's connections."""
        inherited = self._links
        self._begin(None)
        for link in inherited:
            link.abandon()

    def _move(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop is not None and not self._loop.is_closed():
            raise BackendError("postgresql: each event loop needs a manager of its own")
        left_behind = self._links
        self._begin(loop)
        for link in left_behind:
            link.discard()

    async def _take_slowly(self, loop: asyncio.AbstractEventLoop) -> AsyncLink:
        end = loop.time() + remaining()
        while self._made >= self._size:
            if self._idle:
                return self._idle.pop()
            await self._wait(loop, end)
        self._made += 1
        try:
            async with asyncio.timeout_at(end):
                link = await self._connect()
        except BaseException as error:
            self._made -= 1
            self._wake_one()
            if isinstance(error, Exception):
                raise not_connected(error) from None
            raise
        self._links.add(link)
        return link

    async def _wait(self, loop: asyncio.AbstractEventLoop, end: float) -> None:
        turn = loop.create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout_at(end):
                await turn
        except BaseException as error:
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif not turn.cancelled():
                self._wake_one()  # in our place
            if isinstance(error, TimeoutError):
                raise BackendUnavailable(ALL_IN_USE) from None
            raise

    def _wake_one(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
