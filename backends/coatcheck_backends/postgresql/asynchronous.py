"""The storage hooks of PostgreSQL under asyncio, by way of psycopg or asyncpg."""

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
from .async_bound import AsyncBoundStore, bound_to
from .async_store import AsyncStore
from .faces import information, inside
from .location import Location
from .migrating import migrate_async

T = TypeVar("T")


def open_location(location: Location) -> AsyncPostgreSQLBackend:
    """A backend for what a URL says."""
    flavour = postgresql_flavour(location.names)
    info = information(location, asynchronous=True)
    return AsyncPostgreSQLBackend(AsyncStore(location), flavour, info)


class AsyncPostgreSQLBackend:
    """Every hook, the optional ones too: the operations of `PostgreSQLBackend`, awaited."""

    def __init__(
        self, store: AsyncStore | AsyncBoundStore, flavour: PostgreSQLFlavour, info: BackendInfo
    ) -> None:
        self._store = store
        self._flavour = flavour
        self._info = info

    @hookimpl
    def info(self) -> BackendInfo:
        return self._info

    @hookimpl
    async def prepare(self, create: bool) -> None:
        if isinstance(self._store, AsyncStore) and not await self._is_prepared(create):
            await migrate_async(self._store, self._flavour.sessions.names)

    async def _is_prepared(self, create: bool) -> bool:
        try:
            revisions = await self._do(operations.version(self._flavour))
        except SchemaMissing:
            if not create:
                raise
            return False
        return schema.is_newest(revisions, create=create)

    @hookimpl
    async def close(self) -> None:
        self._store.close()

    @hookimpl
    async def ping(self) -> None:
        await self._do(operations.version(self._flavour))

    @hookimpl
    async def insert(self, record: Record) -> None:
        await self._do(operations.insert(self._flavour, record))

    @hookimpl
    async def load(self, session_id: UUID) -> Record | None:
        return await self._do(operations.load(self._flavour, session_id))

    @hookimpl
    async def touch(self, session_id: UUID, now: int) -> bool:
        return await self._do(operations.touch(self._flavour, session_id, now))

    @hookimpl
    async def replace_key_hash(self, session_id: UUID, old: str, new: str, pepper_id: str) -> bool:
        return await self._do(
            operations.replace_key_hash(self._flavour, session_id, old, new, pepper_id)
        )

    @hookimpl
    async def update(self, session_id: UUID, changes: Changes, where: Where) -> Record | None:
        return await self._do(operations.update(self._flavour, session_id, changes, where))

    @hookimpl
    async def delete(self, session_id: UUID, where: Where) -> SessionRef | None:
        return await self._do(operations.delete(self._flavour, session_id, where))

    @hookimpl
    async def find(self, where: Where, after: UUID | None, limit: int) -> list[Record]:
        return await self._do(operations.find(self._flavour, where, after, limit))

    @hookimpl
    async def count(self, where: Where) -> int:
        return await self._do(operations.count(self._flavour, where))

    @hookimpl
    async def update_where(self, where: Where, changes: Changes) -> int:
        return await self._do(operations.update_where(self._flavour, where, changes))

    @hookimpl
    async def delete_where(self, where: Where, keep: frozenset[UUID]) -> list[SessionRef]:
        return await self._do(operations.delete_where(self._flavour, where, keep))

    @hookimpl
    async def purge(self, where: Where, limit: int) -> int:
        return await self._do(operations.purge(self._flavour, where, limit))

    @hookimpl
    async def pepper_counts(self) -> dict[str, int]:
        return await self._do(operations.pepper_counts(self._flavour))

    @hookimpl
    def bound(self, transaction: Any, ended: Callable[[bool], None]) -> object:
        """For an `AsyncConnection` or an `AsyncSession` of `sqlalchemy`, on psycopg or asyncpg,
        and the same database, which is looked at when it is first used."""
        if not isinstance(self._store, AsyncStore):
            raise InvalidInput("transaction: the manager is bound to one already")
        store = bound_to(transaction, self._store, ended)
        return AsyncPostgreSQLBackend(store, inside(self._flavour), self._info)

    async def _do(self, operation: Operation[T]) -> T:
        return operation.read(await self._store.run(operation))
