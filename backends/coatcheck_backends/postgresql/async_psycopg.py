"""One connection by way of psycopg under asyncio."""

from __future__ import annotations

import asyncio
import select
from time import monotonic
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from coatcheck import remaining

from .._forks import leave_socket
from ..sql.operations import Result
from .bound import shut_down
from .greeting import GREETING, Greeted, greeted, prepares
from .links import FAILURES
from .location import Driver, Location
from .wire import Wire

__all__ = [
    "FAILURES",
    "begins_late",
    "connect",
    "is_closed",
    "is_in_transaction",
    "run_inside",
]


class Connection(psycopg.AsyncConnection[tuple[Any, ...]]):
    """Of psycopg, which would warn of those that a forked child left alone."""

    def __del__(self, *_: Any) -> None:
        """Nothing: libpq's part of it closes itself, in the process that opened it."""


async def connect(location: Location) -> PsycopgLink:
    """A connection that has been greeted. Raises psycopg's errors, and ours for a server that
    will not do. The caller sees to the deadline."""
    link = PsycopgLink(await Connection.connect(**location.arguments.reveal(), autocommit=True))
    try:
        [answer] = (await link.run(GREETING, ())).rows
        link.greeting = greeted(answer, link.connection.info.backend_pid, location)
    except BaseException:
        link.discard()
        raise
    link.wire.prepares = prepares(location, pooled=link.greeting.pooled)
    return link


class PsycopgLink:
    """A connection. Nobody else uses it, and nothing but `run` sends anything.

    The loop watches the socket all the time, which spares two calls of the system for each
    statement, and tells of the end of one that lies idle.
    """

    driver: Driver = "psycopg"
    greeting: Greeted

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.patience: int | None = None
        self.wire = Wire(connection.pgconn)
        self._loop = asyncio.get_running_loop()
        self._descriptor = connection.fileno()
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)
        self._is_at_work = False
        self._has_news = False
        self._turn: asyncio.Future[None] | None = None
        self._used = monotonic()
        self._loop.add_reader(self._descriptor, self._readable)

    async def run(self, sql: str, parameters: tuple[object, ...]) -> Result:
        """Run one statement, which is a transaction of its own. Raises psycopg's errors."""
        wire = self.wire
        self._is_at_work = True
        if wire.needs_preparing(sql):
            wire.prepare(sql)
            await self._answer()
        wire.execute(sql, parameters)
        result = wire.result(sql, await self._answer())
        self._is_at_work = False
        self._used = monotonic()
        return result

    async def _answer(self) -> Any:
        wire = self.wire
        if not wire.is_sent():
            await self._send_rest()
        while True:
            await self._next_turn()
            answer = wire.received()
            if answer is not None:
                return answer

    async def _next_turn(self) -> None:
        self._turn = self._loop.create_future()
        try:
            await self._turn
        finally:
            self._turn = None

    async def _send_rest(self) -> None:
        """More than the socket took at once."""
        self._loop.add_writer(self._descriptor, self._readable)
        try:
            while not self.wire.is_sent():
                await self._next_turn()
                self.wire.pgconn.consume_input()
        finally:
            self._loop.remove_writer(self._descriptor)

    def _readable(self) -> None:
        if self._turn is not None:
            if not self._turn.done():
                self._turn.set_result(None)
        elif not self._is_at_work and self._poll.poll(0):
            # The loop may tell once more of an answer that was read since it looked.
            self._has_news = True
            self._loop.remove_reader(self._descriptor)

    async def begin_migration(self) -> object:
        """The driver's connection, for SQLAlchemy."""
        self._loop.remove_reader(self._descriptor)
        await self.connection.set_autocommit(False)
        return self.connection

    def is_usable(self, idle: float) -> bool:
        """It was used in the last `idle` seconds, and nothing came from the server since."""
        # The loop may not have had its turn since the server went.
        has_news = self._has_news or self._poll.poll(0)
        return not has_news and monotonic() - self._used < idle

    def is_whole(self) -> bool:
        """After an error: it can go on as if nothing had been."""
        whole = self.wire.is_whole()
        self._is_at_work = not whole
        return whole

    def discard(self) -> None:
        """Close it at once."""
        if not self._loop.is_closed():
            self._loop.remove_reader(self._descriptor)
        self.connection.pgconn.finish()

    def abandon(self) -> None:
        """In a forked child: close the child's copy of the socket, and tell the server nothing."""
        leave_socket(self._descriptor)


def begins_late(driver: psycopg.AsyncConnection[Any]) -> bool:  # noqa: ARG001 - it never does
    """Whether SQLAlchemy has to be made to begin. psycopg begins by itself, with ours as well."""
    return False


def is_in_transaction(driver: psycopg.AsyncConnection[Any]) -> bool:
    """Whether a statement will be part of one."""
    return not driver.autocommit


def is_closed(driver: psycopg.AsyncConnection[Any]) -> bool:
    """It is of no use any more."""
    return driver.closed


async def run_inside(
    driver: psycopg.AsyncConnection[Any], sql: str, parameters: tuple[object, ...]
) -> Result:
    """Run one statement in a caller's transaction, and cut the connection off at the deadline.
    Raises psycopg's errors."""
    loop = asyncio.get_running_loop()
    timer = loop.call_later(remaining(), shut_down, driver.fileno())
    try:
        cursor = psycopg.AsyncRawCursor(driver, row_factory=tuple_row)
        await cursor.execute(sql.encode(), parameters, binary=True)
        rows = [] if cursor.rownumber is None else await cursor.fetchall()
        return Result(rows, cursor.rowcount)
    finally:
        timer.cancel()
