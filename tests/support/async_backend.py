"""An asynchronous backend over a dictionary, as an author might write it first."""

from __future__ import annotations

import asyncio
from uuid import UUID

from coatcheck import BackendInfo, Changes, Record, SessionRef, Where, hookimpl
from plain_backend import PlainBackend


class AsyncBackend:
    """Every required hook of `PlainBackend`, after it let other tasks have a turn."""

    def __init__(self, store: PlainBackend | None = None) -> None:
        self.store = store or PlainBackend()
        self.closed = 0

    @hookimpl
    def info(self) -> BackendInfo:
        return BackendInfo("async", 1, {"scan", "linearizable"}, asynchronous=True)

    @hookimpl
    async def prepare(self, create: bool) -> None:
        await asyncio.sleep(0)

    @hookimpl
    async def close(self) -> None:
        self.closed += 1

    @hookimpl
    async def ping(self) -> None:
        await asyncio.sleep(0)

    @hookimpl
    async def insert(self, record: Record) -> None:
        await asyncio.sleep(0)
        self.store.insert(record)

    @hookimpl
    async def load(self, session_id: UUID) -> Record | None:
        await asyncio.sleep(0)
        return self.store.load(session_id)

    @hookimpl
    async def touch(self, session_id: UUID, now: int) -> bool:
        await asyncio.sleep(0)
        return self.store.touch(session_id, now)

    @hookimpl
    async def replace_key_hash(self, session_id: UUID, old: str, new: str, pepper_id: str) -> bool:
        await asyncio.sleep(0)
        return self.store.replace_key_hash(session_id, old, new, pepper_id)

    @hookimpl
    async def update(self, session_id: UUID, changes: Changes, where: Where) -> Record | None:
        await asyncio.sleep(0)
        return self.store.update(session_id, changes, where)

    @hookimpl
    async def delete(self, session_id: UUID, where: Where) -> SessionRef | None:
        await asyncio.sleep(0)
        return self.store.delete(session_id, where)

    @hookimpl
    async def find(self, where: Where, after: UUID | None, limit: int) -> list[Record]:
        await asyncio.sleep(0)
        return self.store.find(where, after, limit)
