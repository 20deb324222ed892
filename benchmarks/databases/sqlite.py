"""SQLite, by the standard library's `sqlite3`."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

from coatcheck import Record

from .sql import row_of, statements
from .store import AsyncRaw, Store

SQL = statements("?")


class SQLiteStore(Store):
    """A file in a directory that goes with the run."""

    name = "sqlite"
    is_server = False
    limits = {  # noqa: RUF012 - of the class, as the protocol has it
        "validate, sync": 2.3,
        "validate, async": 3.0,
        "validate, 8 threads": 3.0,
        "find, a user's 10 sessions": 3.0,
        "issue": 2.0,
        "revoke": 2.0,
    }

    def __init__(self, path: Path, sessions: int) -> None:
        self.path = path
        self.url = f"sqlite:///{path}"
        self.async_urls = {"": self.url}
        super().__init__(sessions)

    def raw(self) -> RawSQLite:
        return RawSQLite(self.path)

    async def async_raw(self, driver: str) -> AsyncRaw:  # noqa: ARG002 - there is one
        return OnTheLoop(self.path)

    def key_of(self, session_id: UUID) -> bytes:
        return session_id.bytes

    def row_of(self, record: Record) -> tuple[object, ...]:
        return row_of(record, record.id.bytes)

    def settle(self) -> None:
        with closing(sqlite3.connect(self.path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def sizes(self) -> dict[str, int]:
        """By name where SQLite was built with `dbstat`, otherwise of the whole file."""
        with closing(sqlite3.connect(self.path)) as connection:
            try:
                found = connection.execute(
                    "SELECT name, sum(pgsize) FROM dbstat WHERE name LIKE '%session%' GROUP BY 1"
                )
                return dict(found.fetchall())
            except sqlite3.OperationalError:
                return {"the file": self.path.stat().st_size}


class RawSQLite:
    """As fast as the module allows, with the durability that ours has."""

    def __init__(self, path: Path) -> None:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA synchronous=FULL")
        self.connection = connection

    def read(self, keys: Sequence[Any]) -> None:
        execute = self.connection.execute
        for key in keys:
            execute(SQL.select, (key,)).fetchone()

    def read_users(self, users: Sequence[str]) -> None:
        for user in users:
            self.connection.execute(SQL.select_user, (user,)).fetchall()

    def insert(self, rows: Sequence[Any]) -> None:
        for row in rows:
            self.connection.execute(SQL.insert, row)

    def delete(self, keys: Sequence[Any]) -> None:
        for key in keys:
            self.connection.execute(SQL.delete, (key,))

    def delete_users(self, users: Sequence[str]) -> None:
        for user in users:
            self.connection.execute(SQL.delete_user, (user,))

    def purge(self, now: int, batch: int) -> None:
        while self.connection.execute(SQL.purge, (now, batch)).rowcount:
            pass

    def fill(self, rows: Sequence[Any]) -> None:
        self._all_at_once(SQL.insert, rows)

    def discard(self, keys: Sequence[Any]) -> None:
        self._all_at_once(SQL.delete, [(key,) for key in keys])

    def _all_at_once(self, statement: str, parameters: Sequence[Any]) -> None:
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.executemany(statement, parameters)
        self.connection.execute("COMMIT")

    def close(self) -> None:
        self.connection.close()


class OnTheLoop:
    """The raw read on the event loop's own thread: nothing asynchronous is as fast."""

    def __init__(self, path: Path) -> None:
        self._raw = RawSQLite(path)

    async def read(self, keys: Sequence[Any]) -> None:
        self._raw.read(keys)

    async def close(self) -> None:
        self._raw.close()
