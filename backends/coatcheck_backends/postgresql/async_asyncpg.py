"""One connection by way of asyncpg."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Generator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import asyncpg  # pyright: ignore[reportMissingTypeStubs]

from coatcheck import ConfigError, remaining

from .._forks import leave_socket
from ..sql.operations import Result
from .errors import STATEMENT_GONE, Expired, sqlstate
from .greeting import GREETING, Greeted, greeted
from .location import Driver, Location

FAILURES: tuple[type[Exception], ...] = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    Expired,
)
"""asyncpg raises the operating system's errors of a connection as they are."""

_connect: Any = asyncpg.connect  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]

NEEDS_PREPARED = (
    "postgresql: a pooler stands before the server, and asyncpg prepares its statements, which "
    "are lost there between two transactions; use postgresql:// (psycopg), or say "
    "prepared_statements=always if the pooler keeps them (PgBouncer: max_prepared_statements)"
)


async def connect(location: Location) -> AsyncpgLink:
    """A connection that has been greeted. Raises asyncpg's errors, and ours for a server or a
    pooler that will not do. The caller sees to the deadline."""
    connection = await _connect(**location.arguments.reveal(), timeout=None)
    try:
        greeting = await _greeted(connection, location)
        if greeting.pooled and location.prepared_statements != "always":
            raise ConfigError(NEEDS_PREPARED)
    except BaseException:
        connection.terminate()
        raise
    return AsyncpgLink(connection, greeting)


async def _greeted(connection: Any, location: Location) -> Greeted:
    try:
        async with connection.transaction():  # or a pooler might come between its two halves
            answer = await connection.fetchrow(GREETING)
    except asyncpg.PostgresError as error:
        if sqlstate(error) in STATEMENT_GONE:
            raise ConfigError(NEEDS_PREPARED) from error
        raise
    return greeted(tuple(answer), connection.get_server_pid(), location)


class AsyncpgLink:
    """A driver's connection, with the statements that were prepared on it."""

    driver: Driver = "asyncpg"

    def __init__(self, connection: Any, greeting: Greeted) -> None:
        self.greeting = greeting
        self.patience: int | None = None
        self._connection = connection
        self._statements: dict[str, Any] = {}
        self._descriptor: int = connection._transport.get_extra_info("socket").fileno()
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)
        self._used = monotonic()

    async def run(self, sql: str, parameters: tuple[object, ...]) -> Result:
        """Run one statement, which is a transaction of its own. Raises asyncpg's errors."""
        try:
            statement = self._statements.get(sql)
            if statement is None:
                statement = self._statements[sql] = await self._connection.prepare(sql)
            rows = await statement.fetch(*parameters)
        except asyncpg.InternalClientError:
            # The server has said that it ends the connection, and its end is yet to come.
            self._connection.terminate()
            raise
        self._used = monotonic()
        return Result(rows, changed(statement))

    async def begin_migration(self) -> object:
        """The driver's connection, for SQLAlchemy."""
        return self._connection

    def is_usable(self, idle: float) -> bool:
        """It was used in the last `idle` seconds, and nothing came from the server since."""
        # The loop may not have had its turn since the server went.
        is_over = self._connection.is_closed() or self._poll.poll(0)
        return not is_over and monotonic() - self._used < idle

    def is_whole(self) -> bool:
        """After an error: it can go on as if nothing had been."""
        return not self._connection.is_closed() and not self._connection.is_in_transaction()

    def discard(self) -> None:
        """Close it at once, and with it whatever asyncpg would still ask the server to cancel."""
        try:
            self._connection.terminate()
        except RuntimeError:  # it would tell its loop, which is closed
            self.abandon()

    def abandon(self) -> None:
        """In a forked child: close the child's copy of the socket, and tell the server nothing."""
        leave_socket(self._descriptor)


def begins_late(driver: Any) -> bool:
    """Whether SQLAlchemy has to be made to begin."""
    return not driver.is_in_transaction()


def is_in_transaction(driver: Any) -> bool:
    """Whether a statement will be part of one."""
    return bool(driver.is_in_transaction())


def is_closed(driver: Any) -> bool:
    """It is of no use any more."""
    return bool(driver.is_closed())


async def run_inside(driver: Any, sql: str, parameters: tuple[object, ...]) -> Result:
    """Run one statement in a caller's transaction, and cut the connection off at the deadline.
    Raises asyncpg's errors, and `Expired`."""
    with cut_off_in_time(driver):
        statement = await driver.prepare(sql)
        rows = await statement.fetch(*parameters)
    return Result(rows, changed(statement))


def changed(statement: Any) -> int:
    """How many rows a statement changed, by the server's word: `UPDATE 1`."""
    word = statement.get_statusmsg().rpartition(" ")[2]
    return int(word) if word.isdigit() else 0


@contextmanager
def cut_off_in_time(connection: Any) -> Generator[None]:
    """End the connection at the deadline. Raises `Expired` then: asyncpg's own timeouts ask the
    server to cancel, and wait for that."""
    is_late = False

    def cut_off() -> None:
        nonlocal is_late
        is_late = True
        connection.terminate()

    timer = asyncio.get_running_loop().call_later(remaining(), cut_off)
    try:
        yield
    except FAILURES as error:
        if is_late:
            raise Expired from error
        raise
    finally:
        timer.cancel()
