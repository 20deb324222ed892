"""PostgreSQL, by psycopg and by asyncpg.

The raw contestants are what psycopg and asyncpg are at their fastest: psycopg with one
connection in autocommit, one cursor that is kept, `prepare=True` and rows in binary form;
asyncpg with one connection and one prepared statement that is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
import psycopg
from sqlalchemy import make_url

from coatcheck import Record

from .sql import FIELDS, TABLE, row_of, statements
from .store import AsyncRaw, Store

SQL = statements("%s")
SELECT_BY_NUMBER = SQL.select.replace("%s", "$1")


class PostgresStore(Store):
    """A database of its own on a server."""

    name = "postgresql"
    limits = {  # noqa: RUF012
        "validate, sync": 1.4,
        "validate, async (psycopg)": 1.5,
        "validate, async (asyncpg)": 1.5,
        "validate, 8 threads": 2.0,
        "validate, 8 tasks (psycopg)": 2.0,
        "validate, 8 tasks (asyncpg)": 2.0,
        "issue": 1.3,
        "revoke": 1.3,
    }

    def __init__(self, server_url: str, database: str, sessions: int) -> None:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}"')
        url = make_url(server_url).set(database=database)
        self.url = url.render_as_string(hide_password=False)
        self.async_urls = {
            "psycopg": self.url,
            "asyncpg": self.url.replace("postgresql:", "postgresql+asyncpg:", 1),
        }
        super().__init__(sessions)

    def raw(self) -> RawPsycopg:
        return RawPsycopg(self.url)

    async def async_raw(self, driver: str) -> AsyncRaw:
        if driver == "asyncpg":
            connection = await asyncpg.connect(self.url)
            return RawAsyncpg(connection, await connection.prepare(SELECT_BY_NUMBER))
        return RawAsyncPsycopg(await psycopg.AsyncConnection.connect(self.url, autocommit=True))

    def key_of(self, session_id: UUID) -> UUID:
        return session_id

    def row_of(self, record: Record) -> tuple[object, ...]:
        return row_of(record, record.id)

    def settle(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("VACUUM (ANALYZE)")

    def sizes(self) -> dict[str, int]:
        query = (
            "SELECT relname, pg_relation_size(oid) FROM pg_class WHERE oid = %(table)s::regclass"
            " OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = %(table)s::regclass)"
            " ORDER BY relkind DESC, relname"
        )
        with psycopg.connect(self.url) as connection:
            return dict(connection.execute(query, {"table": TABLE}).fetchall())


class RawPsycopg:
    """One connection in autocommit, one cursor."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)
        self.cursor = self.connection.cursor(binary=True)

    def read(self, keys: Sequence[Any]) -> None:
        execute, fetch = self.cursor.execute, self.cursor.fetchone
        for key in keys:
            execute(SQL.select, (key,), prepare=True)
            fetch()

    def read_users(self, users: Sequence[str]) -> None:
        for user in users:
            self.cursor.execute(SQL.select_user, (user,), prepare=True)
            self.cursor.fetchall()

    def insert(self, rows: Sequence[Any]) -> None:
        for row in rows:
            self.cursor.execute(SQL.insert, row, prepare=True)

    def delete(self, keys: Sequence[Any]) -> None:
        for key in keys:
            self.cursor.execute(SQL.delete, (key,), prepare=True)

    def delete_users(self, users: Sequence[str]) -> None:
        for user in users:
            self.cursor.execute(SQL.delete_user, (user,), prepare=True)

    def purge(self, now: int, batch: int) -> None:
        while self.cursor.execute(SQL.purge, (now, batch), prepare=True).rowcount:
            pass

    def fill(self, rows: Sequence[Any]) -> None:
        with self.cursor.copy(f"COPY {TABLE} (id, {FIELDS}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def discard(self, keys: Sequence[Any]) -> None:
        self.cursor.execute(f"DELETE FROM {TABLE} WHERE id = ANY(%s)", (list(keys),))

    def close(self) -> None:
        self.connection.close()


class RawAsyncPsycopg:
    """The same on an event loop."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self.connection = connection
        self.cursor = connection.cursor(binary=True)

    async def read(self, keys: Sequence[Any]) -> None:
        execute, fetch = self.cursor.execute, self.cursor.fetchone
        for key in keys:
            await execute(SQL.select, (key,), prepare=True)
            await fetch()

    async def close(self) -> None:
        await self.connection.close()


class RawAsyncpg:
    """One connection, one prepared statement."""

    def __init__(self, connection: Any, select: Any) -> None:
        self.connection = connection
        self.select = select

    async def read(self, keys: Sequence[Any]) -> None:
        fetch = self.select.fetchrow
        for key in keys:
            await fetch(key)

    async def close(self) -> None:
        await self.connection.close()
