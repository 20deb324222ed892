"""A database in memory: one connection, under a lock."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from time import monotonic

from coatcheck import BackendUnavailable, SchemaMissing, remaining

from ..sql.operations import Result
from . import forks
from .errors import FAILURES, translated
from .running import Parameters, Row, Run, acquire, run_bounded, run_waiting

Prepare = Callable[[sqlite3.Connection], None]


class MemoryStore:
    """Runs statements on a database of this process alone. A forked child has none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._inherited = False
        forks.register(self)

    def open(self, make: Prepare | None) -> None:
        """Make the database, once.

        :param make: makes the schema; `None` if it may not be made.
        """
        acquire(self._lock)
        try:
            if self._connection is None and not self._inherited:
                if make is None:
                    raise SchemaMissing("sqlite: a database in memory must be prepared each time")
                connection = sqlite3.connect(
                    ":memory:", isolation_level=None, check_same_thread=False
                )
                make(connection)
                self._connection = connection
        finally:
            self._lock.release()

    def close(self) -> None:
        """Forget everything."""
        if self._lock.acquire(timeout=remaining()):
            try:
                connection, self._connection = self._connection, None
                if connection is not None:
                    connection.close()
            finally:
                self._lock.release()

    def read(self, sql: str, parameters: Parameters) -> list[Row]:
        """Run a short SELECT."""
        return self._run(run_waiting, sql, parameters).rows

    def scan(self, sql: str, parameters: Parameters) -> list[Row]:
        """Run a SELECT that may read the whole table."""
        return self._run(run_bounded, sql, parameters).rows

    def write(self, sql: str, parameters: Parameters, *, lasting: bool = True) -> Result:  # noqa: ARG002 - nothing in memory lasts
        """Run one statement that changes one session."""
        return self._run(run_waiting, sql, parameters)

    def write_many(self, sql: str, parameters: Parameters) -> Result:
        """Run one statement that may read or change the whole table."""
        return self._run(run_bounded, sql, parameters)

    def _run(self, runner: Run, sql: str, parameters: Parameters) -> Result:
        acquire(self._lock)
        try:
            if self._connection is None:
                raise BackendUnavailable(
                    "sqlite: a database in memory does not survive a fork"
                    if self._inherited
                    else "sqlite: the database in memory is not open"
                )
            try:
                return runner(self._connection, sql, parameters)
            except FAILURES as error:
                failure = translated(error, writing=False)
            raise failure
        finally:
            self._lock.release()

    def pause(self, deadline: float) -> list[threading.Lock]:
        """Before a fork: let the running statement end."""
        held = self._lock.acquire(timeout=max(0.0, deadline - monotonic()))
        return [self._lock] if held else []

    def renew(self) -> None:
        """In the child of a fork: the database stays with the parent."""
        if self._connection is not None:
            forks.bury([self._connection])
            self._connection, self._inherited = None, True
        self._lock = threading.Lock()
