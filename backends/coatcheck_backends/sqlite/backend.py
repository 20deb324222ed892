"""The storage hooks of SQLite. Each is one statement; where it runs is a matter of the store."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import Any, Protocol
from uuid import UUID

from coatcheck import (
    BackendInfo,
    Capability,
    Changes,
    ConfigError,
    Record,
    SessionRef,
    Unsupported,
    Where,
    hookimpl,
)

from ..sql import rows, statements
from ..sql.flavours import SQLiteFlavour
from ..sql.statements import shape_of, values_of_where
from . import schema
from .bound import BoundStore, connection_source, driver_connection, refuse_other_database
from .connections import FileStore
from .errors import Undecodable
from .in_memory import MemoryStore
from .location import Location
from .running import Parameters, Result, Row

FLAVOUR = SQLiteFlavour()
LOAD = statements.load_session(FLAVOUR).sql
INSERT = statements.insert_session(FLAVOUR).sql

OLDEST = (3, 35, 0)
"""The first SQLite that has RETURNING."""


class Store(Protocol):
    """Where statements run: on a file, in memory, or in the caller's transaction."""

    def open(self, make: Any) -> None: ...
    def close(self) -> None: ...
    def read(self, sql: str, parameters: Parameters) -> list[Row]: ...
    def scan(self, sql: str, parameters: Parameters) -> list[Row]: ...
    def write(self, sql: str, parameters: Parameters, *, lasting: bool = True) -> Result: ...
    def write_many(self, sql: str, parameters: Parameters) -> Result: ...


def open_location(location: Location) -> SQLiteBackend:
    """A backend for what a URL says. Raises `ConfigError` if this SQLite is too old."""
    if sqlite3.sqlite_version_info < OLDEST:
        raise ConfigError(f"sqlite: version 3.35 is needed, and this is {sqlite3.sqlite_version}")
    if location.path is None:
        return SQLiteBackend(MemoryStore(), schema.make_schema)
    file = FileStore(
        location.path, schema.check, room=location.pool_size, synchronous=location.synchronous
    )
    return SQLiteBackend(file, schema.make)


class SQLiteBackend:
    """Every hook, the optional ones too. In memory without transactions."""

    def __init__(self, store: Store, make: Callable[..., None] | None) -> None:
        self._store = store
        self._make = make

    @hookimpl
    def info(self) -> BackendInfo:
        of_memory = {Capability.SCAN, Capability.LINEARIZABLE}
        of_file = of_memory | {Capability.TRANSACTIONS, Capability.SHARED, Capability.DURABLE}
        return BackendInfo(
            name="sqlite",
            spec_version=1,
            capabilities=of_memory if isinstance(self._store, MemoryStore) else of_file,
            inline={"load"},
        )

    @hookimpl
    def prepare(self, create: bool) -> None:
        self._store.open(self._make if create else None)

    @hookimpl
    def close(self) -> None:
        self._store.close()

    @hookimpl
    def ping(self) -> None:
        self._store.read(statements.VERSION.sql, ())

    @hookimpl
    def insert(self, record: Record) -> None:
        self._store.write(INSERT, rows.values_of(record))

    @hookimpl
    def load(self, session_id: UUID) -> Record | None:
        try:
            found = self._store.read(LOAD, (session_id.bytes,))
        except Undecodable:
            pass
        else:
            return rows.record_from(session_id, found[0]) if found else None
        return self._load_undecoded(session_id)

    @hookimpl
    def touch(self, session_id: UUID, now: int) -> bool:
        statement = statements.touch_session(FLAVOUR)
        values = {"id": session_id.bytes, "now": now}
        # A touch may be lost in a crash: that can only shorten a session's life.
        return self._store.write(statement.sql, statement.bind(values), lasting=False).changed == 1

    @hookimpl
    def replace_key_hash(self, session_id: UUID, old: str, new: str, pepper_id: str) -> bool:
        statement = statements.replace_key_hash(FLAVOUR)
        parameters = statement.bind(
            {
                "id": session_id.bytes,
                "old_key_hash": old,
                "new_key_hash": new,
                "new_pepper_id": pepper_id,
            }
        )
        return self._store.write(statement.sql, parameters).changed == 1

    @hookimpl
    def update(self, session_id: UUID, changes: Changes, where: Where) -> Record | None:
        statement = statements.update_session(FLAVOUR, shape_of(where), frozenset(changes))
        values = values_of_where(where) | rows.values_of_changes(changes)
        values["id"] = session_id.bytes
        try:
            found = self._store.write(statement.sql, statement.bind(values)).rows
        except Undecodable:
            pass
        else:
            return rows.record_from(session_id, found[0]) if found else None
        return self._load_undecoded(session_id)

    @hookimpl
    def delete(self, session_id: UUID, where: Where) -> SessionRef | None:
        statement = statements.delete_session(FLAVOUR, shape_of(where))
        values = values_of_where(where) | {"id": session_id.bytes}
        deleted = self._store.write(statement.sql, statement.bind(values)).rows
        return _reference(session_id, *deleted[0]) if deleted else None

    @hookimpl
    def find(self, where: Where, after: UUID | None, limit: int) -> list[Record]:
        shape, paged = shape_of(where), after is not None
        values = values_of_where(where) | {"limit": limit}
        if after is not None:
            values["after"] = after.bytes
        statement = statements.find_sessions(FLAVOUR, shape, paged=paged)
        try:
            found = self._store.scan(statement.sql, statement.bind(values))
        except Undecodable:
            pass
        else:
            return [rows.record_with_id(row) for row in found]
        statement = statements.find_sessions(FLAVOUR, shape, paged=paged, undecoded=True)
        found = self._store.scan(statement.sql, statement.bind(values))
        return [rows.record_from_bytes(rows.id_from(row[0]), row[1:]) for row in found]

    @hookimpl
    def count(self, where: Where) -> int:
        statement = statements.count_sessions(FLAVOUR, shape_of(where))
        counted: int = self._store.scan(statement.sql, statement.bind(values_of_where(where)))[0][0]
        return counted

    @hookimpl
    def update_where(self, where: Where, changes: Changes) -> int:
        statement = statements.update_sessions(FLAVOUR, shape_of(where), frozenset(changes))
        values = values_of_where(where) | rows.values_of_changes(changes)
        return self._store.write_many(statement.sql, statement.bind(values)).changed

    @hookimpl
    def delete_where(self, where: Where, keep: frozenset[UUID]) -> list[SessionRef]:
        statement = statements.delete_sessions(FLAVOUR, shape_of(where), keeping=bool(keep))
        values = values_of_where(where)
        values["keep"] = json.dumps([session_id.hex.upper() for session_id in keep])
        deleted = self._store.write_many(statement.sql, statement.bind(values)).rows
        # A row whose id is no id went as well, but there is no way to name it.
        return [
            _reference(rows.id_from(session_id), user_id, method)
            for session_id, user_id, method in deleted
            if rows.is_id(session_id)
        ]

    @hookimpl
    def purge(self, where: Where, limit: int) -> int:
        statement = statements.purge_sessions(FLAVOUR, shape_of(where))
        values = values_of_where(where) | {"limit": limit}
        return self._store.write_many(statement.sql, statement.bind(values)).changed

    @hookimpl
    def pepper_counts(self) -> dict[str, int]:
        counted = self._store.scan(statements.pepper_counts(FLAVOUR).sql, ())
        return {_text(pepper_id): number for pepper_id, number in counted}

    @hookimpl
    def bound(self, transaction: Any, ended: Callable[[bool], None]) -> object:
        """For a `Connection` or a `Session` of `sqlalchemy`, synchronous, on the same file."""
        if not isinstance(self._store, FileStore):
            raise Unsupported("sqlite: no transactions in memory, nor within another one")
        source, session = connection_source(transaction)
        connection = source()
        refuse_other_database(driver_connection(connection), self._store.path)
        store = BoundStore(source)
        store.begin()
        if session is not None:
            from ..sql.watching import watch

            watch(session, connection, ended)
        return SQLiteBackend(store, None)

    def _load_undecoded(self, session_id: UUID) -> Record | None:
        """The slow way, which finds the column whose text is not UTF-8."""
        statement = statements.load_session(FLAVOUR, undecoded=True)
        found = self._store.read(statement.sql, (session_id.bytes,))
        return rows.record_from_bytes(session_id, found[0]) if found else None


def _reference(session_id: UUID, user_id: object, method: object) -> SessionRef:
    return SessionRef(session_id, _text(user_id), _text(method))


def _text(value: object) -> str:
    """Text that came as bytes. Never fails: what names a row is not worth keeping it for."""
    return value.decode(errors="replace") if isinstance(value, bytes) else ""
