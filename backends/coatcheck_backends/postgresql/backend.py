"""The storage hooks of PostgreSQL by way of psycopg. Each is one statement and one round trip."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

from coatcheck import (
    BackendInfo,
    Changes,
    InvalidInput,
    Record,
    SchemaMissing,
    SessionRef,
    Where,
    hookimpl,
)

from ..sql import operations
from ..sql.flavours import PostgreSQLFlavour, postgresql_flavour
from ..sql.operations import Operation
from . import schema
from .bound import BoundStore, bound_to
from .faces import information, inside
from .location import Location
from .migrating import migrate
from .store import Store

T = TypeVar("T")


def open_location(location: Location) -> PostgreSQLBackend:
    """A backend for what a URL says."""
    flavour = postgresql_flavour(location.names)
    return PostgreSQLBackend(Store(location), flavour, information(location, asynchronous=False))


class PostgreSQLBackend:
    """Every hook, the optional ones too."""

    def __init__(
        self, store: Store | BoundStore, flavour: PostgreSQLFlavour, info: BackendInfo
    ) -> None:
        self._store = store
        self._flavour = flavour
        self._info = info

    @hookimpl
    def info(self) -> BackendInfo:
        return self._info

    @hookimpl
    def prepare(self, create: bool) -> None:
        if isinstance(self._store, Store) and not self._is_prepared(create):
            migrate(self._store, self._flavour.sessions.names)

    def _is_prepared(self, create: bool) -> bool:
        try:
            revisions = self._do(operations.version(self._flavour))
        except SchemaMissing:
            if not create:
                raise
            return False
        return schema.is_newest(revisions, create=create)

    @hookimpl
    def close(self) -> None:
        self._store.close()

    @hookimpl
    def ping(self) -> None:
        self._do(operations.version(self._flavour))

    @hookimpl
    def insert(self, record: Record) -> None:
        self._do(operations.insert(self._flavour, record))

    @hookimpl
    def load(self, session_id: UUID) -> Record | None:
        return self._do(operations.load(self._flavour, session_id))

    @hookimpl
    def touch(self, session_id: UUID, now: int) -> bool:
        return self._do(operations.touch(self._flavour, session_id, now))

    @hookimpl
    def replace_key_hash(self, session_id: UUID, old: str, new: str, pepper_id: str) -> bool:
        return self._do(operations.replace_key_hash(self._flavour, session_id, old, new, pepper_id))

    @hookimpl
    def update(self, session_id: UUID, changes: Changes, where: Where) -> Record | None:
        return self._do(operations.update(self._flavour, session_id, changes, where))

    @hookimpl
    def delete(self, session_id: UUID, where: Where) -> SessionRef | None:
        return self._do(operations.delete(self._flavour, session_id, where))

    @hookimpl
    def find(self, where: Where, after: UUID | None, limit: int) -> list[Record]:
        return self._do(operations.find(self._flavour, where, after, limit))

    @hookimpl
    def count(self, where: Where) -> int:
        return self._do(operations.count(self._flavour, where))

    @hookimpl
    def update_where(self, where: Where, changes: Changes) -> int:
        return self._do(operations.update_where(self._flavour, where, changes))

    @hookimpl
    def delete_where(self, where: Where, keep: frozenset[UUID]) -> list[SessionRef]:
        return self._do(operations.delete_where(self._flavour, where, keep))

    @hookimpl
    def purge(self, where: Where, limit: int) -> int:
        return self._do(operations.purge(self._flavour, where, limit))

    @hookimpl
    def pepper_counts(self) -> dict[str, int]:
        return self._do(operations.pepper_counts(self._flavour))

    @hookimpl
    def bound(self, transaction: Any, ended: Callable[[bool], None]) -> object:
        """For a `Connection` or a `Session` of `sqlalchemy` on psycopg and the same database."""
        if not isinstance(self._store, Store):
            raise InvalidInput("transaction: the manager is bound to one already")
        store = bound_to(transaction, self._store, ended)
        return PostgreSQLBackend(store, inside(self._flavour), self._info)

    def _do(self, operation: Operation[T]) -> T:
        return operation.read(self._store.run(operation))
