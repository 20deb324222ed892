"""Working inside a transaction that the caller began with SQLAlchemy's asyncio extension.

As `bound.py`; but what must be asked of the connection can be asked at the first call only.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, get_args

from coatcheck import CoatcheckError, InvalidInput

from ..sql.operations import Operation, Result
from ..sql.transactions import sqlalchemy_errors
from .async_drivers import Library, library
from .errors import translated
from .greeting import IDENTITY, IDENTITY_KEY, OTHER_DATABASE, Identity
from .location import Driver

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

    from .async_store import AsyncStore

EXPECTED = "transaction: pass a SQLAlchemy AsyncConnection or AsyncSession"


def bound_to(transaction: Any, store: AsyncStore, ended: Callable[[bool], None]) -> AsyncBoundStore:
    """A store inside `transaction`. Raises `InvalidInput` for anything that is not an
    asynchronous transaction of SQLAlchemy's."""
    # Whoever holds one has imported this.
    asyncio_extension = sys.modules.get("sqlalchemy.ext.asyncio")
    if asyncio_extension is None:
        raise InvalidInput(EXPECTED)
    if isinstance(transaction, asyncio_extension.async_scoped_session):
        transaction = transaction()
    if isinstance(transaction, asyncio_extension.AsyncConnection):
        connection: AsyncConnection = transaction

        async def the_one() -> AsyncConnection:
            return connection

        return AsyncBoundStore(the_one, store)
    if isinstance(transaction, asyncio_extension.AsyncSession):
        return _bound_to_session(transaction, store, ended)
    raise InvalidInput(EXPECTED)


def _bound_to_session(
    session: AsyncSession, store: AsyncStore, ended: Callable[[bool], None]
) -> AsyncBoundStore:
    from ..sql.watching import watch

    bound = AsyncBoundStore(session.connection, store)
    with sqlalchemy_errors("the session has no usable connection"):
        if not session.in_transaction():
            session.sync_session.begin()
    watch(session.sync_session, lambda: bound.connection, ended)
    return bound


class AsyncBoundStore:
    """Runs operations in the caller's transaction."""

    def __init__(self, source: Callable[[], Awaitable[AsyncConnection]], store: AsyncStore) -> None:
        self._source = source
        self._store = store
        self.connection: Connection | None = None
        """The caller's, once it is known."""

    def close(self) -> None:
        """Nothing: the transaction is the caller's."""

    async def run(self, operation: Operation[Any]) -> Result:
        """Run it once."""
        with sqlalchemy_errors("it has no usable connection"):
            connection = await self._source()
            if not connection.in_transaction():
                await connection.begin()
            self.connection = connection.sync_connection
            driver = (await connection.get_raw_connection()).driver_connection
            ways = _library(driver)
            if ways.begins_late(driver):
                # SQLAlchemy begins on asyncpg only with the first statement of its own.
                await connection.exec_driver_sql("SELECT 1")
        if not ways.is_in_transaction(driver):
            raise InvalidInput("transaction: its connection commits each statement by itself")
        await self._check_identity(connection, driver, ways)
        return await _run(connection, driver, ways, operation.statement.sql, operation)

    async def _check_identity(
        self, connection: AsyncConnection, driver: Any, ways: Library
    ) -> None:
        known: Identity | None = connection.info.get(IDENTITY_KEY)
        if known is None:
            [row] = (await _run(connection, driver, ways, IDENTITY)).rows
            known = connection.info[IDENTITY_KEY] = (row[0], row[1])
        if not await self._store.leads_to(known):
            raise InvalidInput(OTHER_DATABASE)


def _library(driver: Any) -> Library:
    """What knows the driver that the caller's connection is of."""
    name = type(driver).__module__.partition(".")[0]
    for known in get_args(Driver):
        if name == known:
            return library(known)
    raise InvalidInput("transaction: it is not one of PostgreSQL by way of psycopg or asyncpg")


async def _run(
    connection: AsyncConnection,
    driver: Any,
    ways: Library,
    sql: str,
    operation: Operation[Any] | None = None,
) -> Result:
    parameters = () if operation is None else operation.parameters()
    try:
        result = await ways.run_inside(driver, sql, parameters)
    except ways.FAILURES as error:
        failure: CoatcheckError = translated(error, writing=False)
        if ways.is_closed(driver):
            # SQLAlchemy must not go on as if the caller's own work were still to be committed.
            await connection.invalidate()
    else:
        return result
    raise failure
