"""Working inside a transaction that the caller began with SQLAlchemy.

The statements are the same, and run on the driver's connection that SQLAlchemy holds.
How lasting a commit is here, the caller's connection decides (`PRAGMA synchronous`).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager

from sqlalchemy import Connection

from coatcheck import BackendUnavailable, InvalidInput, WouldBlock, remaining

from ..sql.operations import Result
from ..sql.transactions import begin, dbapi_connection
from .errors import FAILURES, translated
from .running import Parameters, Row, run


class BoundStore:
    """Runs statements in the caller's transaction, from any thread, one at a time.

    :param connection: asks for the caller's SQLAlchemy connection anew at each statement: a
        `Session` gives one that may have to begin a savepoint first.
    """

    def __init__(self, connection: Callable[[], Connection]) -> None:
        self._connection = connection

    def open(self, make: object) -> None:
        """Nothing: the transaction is open, and the schema was there when the manager was."""

    def close(self) -> None:
        """Nothing: the transaction is the caller's."""

    def read(self, sql: str, parameters: Parameters) -> list[Row]:
        """Run a SELECT."""
        return self._run(sql, parameters, writing=False).rows

    # No deadline on long statements: SQLite rolls the whole transaction back when it
    # interrupts one that writes, and a progress handler of the caller's could not be restored.
    scan = read

    def write(self, sql: str, parameters: Parameters, *, lasting: bool = True) -> Result:  # noqa: ARG002 - the caller commits
        """Run one statement that changes something."""
        return self._run(sql, parameters, writing=True)

    write_many = write

    def _run(self, sql: str, parameters: Parameters, *, writing: bool) -> Result:
        if remaining() <= 0.0:
            # Even a checkout from the caller's pool may wait.
            raise WouldBlock("sqlite: a transaction is not used on the event loop")
        connection, driver = self._begun()
        try:
            with _plain(driver), _patient(driver):
                return run(driver, sql, parameters)
        except FAILURES as error:
            failure = translated(error, writing=writing)
            if not driver.in_transaction:
                # SQLite rolled everything back, the caller's work too. Invalidated, the
                # connection refuses to go on as if that were still to be committed.
                connection.invalidate()
        raise failure

    def begin(self) -> None:
        """See to it that the driver has begun the transaction that SQLAlchemy speaks of."""
        self._begun()

    def _begun(self) -> tuple[Connection, sqlite3.Connection]:
        connection = self._connection()
        driver = driver_connection(connection)
        begin(connection)
        if connection.info.get(_BEGUN) is not connection.get_transaction():
            if not driver.in_transaction:
                driver.execute("BEGIN")
            elif connection.in_nested_transaction() and _begins_late(driver):
                _begin_around_savepoints(connection, driver)
            connection.info[_BEGUN] = connection.get_transaction()
        return connection, driver


_BEGUN = "coatcheck: begun"
"""In a connection's `info`: the transaction of SQLAlchemy's for which BEGIN has been sent."""


def driver_connection(connection: Connection) -> sqlite3.Connection:
    """The `sqlite3` connection. Raises `InvalidInput` if it is none, or cannot be bound to."""
    driver = dbapi_connection(connection)
    if not isinstance(driver, sqlite3.Connection):
        raise InvalidInput("transaction: it is not one of SQLite by way of sqlite3")
    commits_itself = getattr(driver, "autocommit", None) is True  # Python 3.12; commit() is void
    keeps_open = driver.isolation_level is None and getattr(
        connection.dialect, "skip_autocommit_rollback", False
    )
    if commits_itself or keeps_open:
        raise InvalidInput("transaction: its connection commits each statement by itself")
    return driver


def refuse_other_database(driver: sqlite3.Connection, path: str) -> None:
    """Raises `InvalidInput` unless the main database of a connection is the file at `path`."""
    cursor = driver.cursor()
    cursor.row_factory = None
    with _plain(driver):
        names = [row[2] for row in cursor.execute("PRAGMA database_list") if row[1] == "main"]
    cursor.close()
    try:
        if names and names[0] and os.path.samefile(names[0], path):
            return
    except OSError as error:
        raise BackendUnavailable("sqlite: the database file is not there") from error
    raise InvalidInput("transaction: it belongs to another database than the manager's")


def _begins_late(driver: sqlite3.Connection) -> bool:
    """In its usual mode `sqlite3` sends BEGIN only with the first change. If a savepoint comes
    before that, its release commits, and a rollback of the transaction around it is too late."""
    begins_at_once = getattr(driver, "autocommit", None) is False  # Python 3.12
    return driver.isolation_level is not None and not begins_at_once


def _begin_around_savepoints(connection: Connection, driver: sqlite3.Connection) -> None:
    """From outside it cannot be seen whether BEGIN was sent. As long as nothing was read or
    written, nothing is lost by starting again; a checkpoint is refused from then on."""
    cursor = driver.cursor()
    try:
        cursor.execute("PRAGMA main.wal_checkpoint(PASSIVE)")
    except sqlite3.OperationalError as error:
        raise InvalidInput(
            "transaction: it is in a savepoint, and sqlite3 may not have sent BEGIN before; call "
            "within() before the first savepoint, or have SQLAlchemy send BEGIN"
        ) from error
    finally:
        cursor.close()
    names: list[str] = []
    savepoint = connection.get_nested_transaction()
    while savepoint is not None:
        names.append(savepoint._savepoint)
        savepoint = savepoint._previous_nested
    driver.execute("ROLLBACK")
    driver.execute("BEGIN")
    for name in reversed(names):
        driver.execute(f"SAVEPOINT {name}")


@contextmanager
def _patient(driver: sqlite3.Connection) -> Generator[None]:
    """Have SQLite wait for locks as long as the caller's connection does, but no longer than
    the call may."""
    own = driver.execute("PRAGMA busy_timeout").fetchone()[0]
    left = int(remaining() * 1000)
    if own > left:
        driver.execute(f"PRAGMA busy_timeout={left}")
    try:
        yield
    finally:
        if own > left:
            driver.execute(f"PRAGMA busy_timeout={own}")


@contextmanager
def _plain(driver: sqlite3.Connection) -> Generator[None]:
    """Rows as tuples and text as `str`, whatever the caller's connection makes of them."""
    row_factory, text_factory = driver.row_factory, driver.text_factory
    driver.row_factory, driver.text_factory = None, str
    try:
        yield
    finally:
        driver.row_factory, driver.text_factory = row_factory, text_factory
