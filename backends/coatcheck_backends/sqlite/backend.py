"""The storage hooks of SQLite. Each is one statement; where it runs is a matter of the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, Protocol, TypeVar
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

from ..sql import operations, rows, statements
from ..sql.operations import Kind, Operation, Result
from ..sql.transactions import connection_source
from . import schema
from .bound import BoundStore, driver_connection, refuse_other_database
from .connections import FileStore
from .errors import Undecodable
from .in_memory import MemoryStore
from .location import Location
from .running import Parameters, Row
from .schema import FLAVOUR

T = TypeVar("T")

LOAD = statements.load_session(FLAVOUR).sql
INSERT = statements.insert_session(FLAVOUR).sql
"""These two are written out in their hooks: an operation costs a tenth of the statement."""

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
        self._do(operations.version(FLAVOUR))

    @hookimpl
    def insert(self, record: Record) -> None:
        self._store.write(INSERT, rows.values_of(record, record.id.bytes))

    @hookimpl
    def load(self, session_id: UUID) -> Record | None:
        try:
            found = self._store.read(LOAD, (session_id.bytes,))
        except Undecodable:
            pass
        else:
            return rows.record_from(session_id, found[0]) if found else None
        return self._do(operations.load(FLAVOUR, session_id, undecoded=True))

    @hookimpl
    def touch(self, session_id: UUID, now: int) -> bool:
        return self._do(operations.touch(FLAVOUR, session_id, now))

    @hookimpl
    def replace_key_hash(self, session_id: UUID, old: str, new: str, pepper_id: str) -> bool:
        return self._do(operations.replace_key_hash(FLAVOUR, session_id, old, new, pepper_id))

    @hookimpl
    def update(self, session_id: UUID, changes: Changes, where: Where) -> Record | None:
        try:
            return self._do(operations.update(FLAVOUR, session_id, changes, where))
        except Undecodable:
            pass
        # It was done; what cannot be read is found the slow way, which names the column.
        return self._do(operations.load(FLAVOUR, session_id, undecoded=True))

    @hookimpl
    def delete(self, session_id: UUID, where: Where) -> SessionRef | None:
        return self._do(operations.delete(FLAVOUR, session_id, where))

    @hookimpl
    def find(self, where: Where, after: UUID | None, limit: int) -> list[Record]:
        try:
            return self._do(operations.find(FLAVOUR, where, after, limit))
        except Undecodable:
            pass
        return self._do(operations.find(FLAVOUR, where, after, limit, undecoded=True))

    @hookimpl
    def count(self, where: Where) -> int:
        return self._do(operations.count(FLAVOUR, where))

    @hookimpl
    def update_where(self, where: Where, changes: Changes) -> int:
        return self._do(operations.update_where(FLAVOUR, where, changes))

    @hookimpl
    def delete_where(self, where: Where, keep: frozenset[UUID]) -> list[SessionRef]:
        return self._do(operations.delete_where(FLAVOUR, where, keep))

    @hookimpl
    def purge(self, where: Where, limit: int) -> int:
        return self._do(operations.purge(FLAVOUR, where, limit))

    @hookimpl
    def pepper_counts(self) -> dict[str, int]:
        return self._do(operations.pepper_counts(FLAVOUR))

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

            watch(session, lambda: connection, ended)
        return SQLiteBackend(store, None)

    def _do(self, operation: Operation[T]) -> T:
        sql, parameters = operation.statement.sql, operation.parameters()
        if operation.kind is Kind.READ:
            result = Result(self._store.read(sql, parameters), 0)
        elif operation.kind is Kind.SCAN:
            result = Result(self._store.scan(sql, parameters), 0)
        elif operation.kind is Kind.BULK:
            result = self._store.write_many(sql, parameters)
        else:
            lasting = operation.kind is Kind.WRITE
            result = self._store.write(sql, parameters, lasting=lasting)
        return operation.read(result)
