"""Running one statement on a driver's connection, waiting no longer than the call may."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from time import monotonic, sleep
from typing import Any

from coatcheck import BackendUnavailable, WouldBlock, remaining

from ..sql.operations import Result
from .errors import is_busy

Row = tuple[Any, ...]
Parameters = tuple[object, ...]

CHECK_EVERY = 10_000
"""Steps of SQLite's machine, about a millisecond, between two looks at the clock."""


Run = Callable[[sqlite3.Connection, str, Parameters], Result]


def run(connection: sqlite3.Connection, sql: str, parameters: Parameters = ()) -> Result:
    """Run to the end, since a statement outside of a transaction commits only there."""
    cursor = connection.execute(sql, parameters)
    try:
        return Result(cursor.fetchall(), cursor.rowcount)
    finally:
        cursor.close()  # or a traceback that is kept would keep the lock


def run_waiting(connection: sqlite3.Connection, sql: str, parameters: Parameters = ()) -> Result:
    """The same, first without waiting, then for as long as the call may wait for a lock.

    Raises `WouldBlock` if it may not, and the driver's own errors.
    """
    try:
        return run(connection, sql, parameters)
    except sqlite3.OperationalError as error:
        if not is_busy(error):
            raise
        left = remaining()
        if left <= 0.0:
            raise WouldBlock("sqlite: the database is locked") from error
    # Fixed here: outside of a manager's call `remaining()` never gets less.
    deadline = monotonic() + left
    try:
        while True:
            left = deadline - monotonic()
            connection.execute(f"PRAGMA busy_timeout={max(1, int(left * 1000))}")
            try:
                return run(connection, sql, parameters)
            except sqlite3.OperationalError as error:
                if not is_busy(error) or monotonic() >= deadline:
                    raise
            # SQLite does not ask its busy handler about every lock, as for the switch to WAL.
            sleep(0.002)
    finally:
        connection.execute("PRAGMA busy_timeout=0")


def run_bounded(connection: sqlite3.Connection, sql: str, parameters: Parameters = ()) -> Result:
    """The same for a statement that may read the whole table: interrupted at the deadline."""
    deadline = monotonic() + remaining()
    connection.set_progress_handler(lambda: monotonic() > deadline, CHECK_EVERY)
    try:
        return run_waiting(connection, sql, parameters)
    finally:
        connection.set_progress_handler(None, 0)


def acquire(lock: threading.Lock) -> None:
    """Take a lock of this process. Raises `WouldBlock`, or `BackendUnavailable` at the deadline."""
    if lock.acquire(blocking=False):
        return
    left = remaining()
    if left <= 0.0:
        raise WouldBlock("sqlite: another thread is at work")
    if not lock.acquire(timeout=left):
        raise BackendUnavailable("sqlite: other threads were at work until the deadline")
