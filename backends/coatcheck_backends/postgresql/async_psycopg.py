"""One connection by way of psycopg under asyncio."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from coatcheck import remaining

from .._forks import leave_socket
from ..sql.operations import Result
from .bound import shut_down
from .greeting import GREETING, Greeted, greeted, prepares
from .links import FAILURES, Readable
from .location import Driver, Location
from .waiting import AsyncConnection

__all__ = [
    "FAILURES",
    "begins_late",
    "connect",
    "is_closed",
    "is_in_transaction",
    "run_inside",
]


async def connect(location: Location) -> PsycopgLink:
    """A connection that has been greeted. Raises psycopg's errors, and ours for a server that
    will not do. The caller sees to the deadline."""
    connection = await AsyncConnection.connect(
        **location.arguments.reveal(), autocommit=True, prepare_threshold=None
    )
    try:
        connection.end = monotonic() + remaining()
        answer = await (await connection.execute(GREETING)).fetchone()
        greeting = greeted(answer or (), connection.info.backend_pid, location)
    except BaseException:
        connection.pgconn.finish()
        raise
    return PsycopgLink(connection, greeting, prepares(location, pooled=greeting.pooled))


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
        await cursor.execute(sql, parameters, binary=True)
        rows = [] if cursor.rownumber is None else await cursor.fetchall()
        return Result(rows, cursor.rowcount)
    finally:
        timer.cancel()


class PsycopgLink:
    """A driver's connection with one cursor, used again and again."""

    driver: Driver = "psycopg"

    def __init__(self, connection: AsyncConnection, greeting: Greeted, prepares: bool) -> None:
        self.greeting = greeting
        self._connection = connection
        self._prepares = prepares
        self._cursor = psycopg.AsyncRawCursor(connection)
        self._readable = Readable(connection.fileno())
        self._used = monotonic()

    async def run(self, sql: str, parameters: tuple[object, ...]) -> Result:
        """Run one statement, which is a transaction of its own. Raises psycopg's errors, and
        `Expired` at the deadline."""
        self._connection.end = monotonic() + remaining()
        cursor = self._cursor
        await cursor.execute(sql, parameters, prepare=self._prepares, binary=True)
        rows = [] if cursor.rownumber is None else await cursor.fetchall()
        self._used = monotonic()
        return Result(rows, cursor.rowcount)

    async def begin_migration(self) -> object:
        """The driver's connection, for SQLAlchemy."""
        await self._connection.set_autocommit(False)
        self._connection.end = monotonic() + remaining()
        return self._connection

    def is_usable(self, idle: float) -> bool:
        """It was used in the last `idle` seconds, and nothing came from the server since."""
        return monotonic() - self._used < idle and not self._readable.now()

    def is_whole(self) -> bool:
        """After an error: it can go on as if nothing had been."""
        connection = self._connection
        return (
            not connection.closed and connection.pgconn.transaction_status == TransactionStatus.IDLE
        )

    def discard(self) -> None:
        """Close it at once."""
        self._connection.pgconn.finish()

    def abandon(self) -> None:
        """In a forked child: close the child's copy of the socket, and tell the server nothing."""
        leave_socket(self._connection.fileno())
