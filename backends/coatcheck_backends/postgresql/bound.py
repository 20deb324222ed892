"""Working inside a transaction that the caller began with SQLAlchemy on psycopg.

The statements are the same, but do not say how long they may wait for a lock: that would go
on to hold for the caller's. Whoever waits past the deadline finds the connection cut off,
and the transaction with it: nothing of it happened.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import tuple_row
from sqlalchemy import Connection

from coatcheck import CoatcheckError, InvalidInput, remaining

from ..sql.operations import Operation, Result
from ..sql.transactions import begin, connection_source, dbapi_connection
from .errors import translated
from .greeting import IDENTITY, IDENTITY_KEY, OTHER_DATABASE, Identity

if TYPE_CHECKING:
    from .store import Store


def bound_to(transaction: Any, store: Store, ended: Callable[[bool], None]) -> BoundStore:
    """A store inside `transaction`. Raises `InvalidInput` unless it is a synchronous one of
    SQLAlchemy's, on psycopg, and on the server and database of `store`."""
    source, session = connection_source(transaction)
    connection = source()
    if not store.leads_to(_identity(connection)):
        raise InvalidInput(OTHER_DATABASE)
    if session is not None:
        from ..sql.watching import watch

        watch(session, lambda: connection, ended)
    return BoundStore(source)


class BoundStore:
    """Runs operations in the caller's transaction."""

    def __init__(self, connection: Callable[[], Connection]) -> None:
        self._connection = connection

    def close(self) -> None:
        """Nothing: the transaction is the caller's."""

    def run(self, operation: Operation[Any]) -> Result:
        """Run it once."""
        return run_on(self._connection(), operation.statement.sql, operation.parameters())


def run_on(connection: Connection, sql: str, parameters: tuple[object, ...]) -> Result:
    """Run one statement on the driver's connection that SQLAlchemy holds, and cut it off at
    the deadline. Raises our errors."""
    begin(connection)
    driver = driver_connection(connection)
    try:
        with cut_off_in_time(driver):
            cursor = psycopg.RawCursor(driver, row_factory=tuple_row)
            cursor.execute(sql.encode(), parameters, binary=True)
            rows = [] if cursor.rownumber is None else cursor.fetchall()
            return Result(rows, cursor.rowcount)
    except psycopg.Error as error:
        failure: CoatcheckError = translated(error, writing=False)
        if driver.closed:
            # SQLAlchemy must not go on as if the caller's own work were still to be committed.
            connection.invalidate()
    raise failure


def driver_connection(connection: Connection) -> psycopg.Connection[Any]:
    """psycopg's connection. Raises `InvalidInput` if it is none, or cannot be bound to."""
    driver = dbapi_connection(connection)
    if not isinstance(driver, psycopg.Connection):
        raise InvalidInput(
            "transaction: it is not one of PostgreSQL by way of psycopg (postgresql+psycopg://)"
        )
    if driver.autocommit:
        raise InvalidInput("transaction: its connection commits each statement by itself")
    return driver  # pyright: ignore[reportUnknownVariableType]


def _identity(connection: Connection) -> Identity:
    known: Identity | None = None
    if not (connection.closed or connection.invalidated):
        known = connection.info.get(IDENTITY_KEY)
    if known is None:
        known = tuple(run_on(connection, IDENTITY, ()).rows[0])
        connection.info[IDENTITY_KEY] = known
    return known


@contextmanager
def cut_off_in_time(driver: psycopg.Connection[Any]) -> Generator[None]:
    """Shut the socket down at the deadline, which ends every wait for it. Only a thread can:
    the caller's connection waits as psycopg does, for ever."""
    timer = threading.Timer(remaining(), shut_down, [driver.fileno()])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def shut_down(descriptor: int) -> None:
    """End a connection, for both sides and for everybody who waits for it."""
    with socket.socket(fileno=descriptor) as copy:
        try:
            copy.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        finally:
            copy.detach()
