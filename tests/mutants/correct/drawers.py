"""Asynchronous only: a dictionary for each kind of fact, and an index of the users' sessions."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from typing import Any
from uuid import UUID

from coatcheck import BackendInfo, Changes, DuplicateSession, Record, SessionRef, Where, hookimpl

LASTING = ("user_id", "method", "created_at")
CHANGING = ("scopes", "metadata", "expires_at", "inactivity_timeout")


class Drawers:
    """All optional hooks but `bound`. No step has an `await` in its middle."""

    def __init__(self) -> None:
        self.lasting: dict[UUID, dict[str, Any]] = {}
        self.changing: dict[UUID, dict[str, Any]] = {}
        self.uses: dict[UUID, int] = {}
        self.hashes: dict[UUID, tuple[str, str]] = {}
        self.users: defaultdict[str, set[UUID]] = defaultdict(set)

    def empty(self) -> None:
        """Nothing is there."""
        for drawer in (self.lasting, self.changing, self.uses, self.hashes, self.users):
            drawer.clear()

    def _record(self, session_id: UUID) -> Record:
        key_hash, pepper_id = self.hashes[session_id]
        return Record(
            id=session_id,
            **self.lasting[session_id],
            **self.changing[session_id],
            last_used_at=self.uses[session_id],
            key_hash=key_hash,
            pepper_id=pepper_id,
        )

    def _matching(self, where: Where) -> list[Record]:
        ids = self.lasting if where.user_id is None else self.users.get(where.user_id, ())
        return [record for record in map(self._record, sorted(ids)) if where.matches(record)]

    def _matches(self, session_id: UUID, where: Where) -> bool:
        return session_id in self.lasting and where.matches(self._record(session_id))

    def _remove(self, session_id: UUID) -> SessionRef:
        record = self._record(session_id)
        self.users[record.user_id].discard(session_id)
        for drawer in (self.lasting, self.changing, self.uses, self.hashes):
            drawer.pop(session_id)
        return SessionRef(session_id, record.user_id, record.method)

    @hookimpl
    def info(self) -> BackendInfo:
        return BackendInfo("drawers", 1, {"scan", "linearizable"}, asynchronous=True)

    @hookimpl
    async def prepare(self, create: bool) -> None: ...

    @hookimpl
    async def close(self) -> None: ...

    @hookimpl
    async def ping(self) -> None:
        await asyncio.sleep(0)

    @hookimpl
    async def insert(self, record: Record) -> None:
        await asyncio.sleep(0)
        if record.id in self.lasting:
            raise DuplicateSession(f"session {record.id} has its drawers")
        self.lasting[record.id] = {name: getattr(record, name) for name in LASTING}
        self.changing[record.id] = {name: getattr(record, name) for name in CHANGING}
        self.uses[record.id] = record.last_used_at
        self.hashes[record.id] = record.key_hash, record.pepper_id
        self.users[record.user_id].add(record.id)

    @hookimpl
    async def load(self, session_id: UUID) -> Record | None:
        await asyncio.sleep(0)
        return self._record(session_id) if session_id in self.lasting else None

    @hookimpl
    async def touch(self, session_id: UUID, now: int) -> bool:
        await asyncio.sleep(0)
        if not self._matches(session_id, Where(state=frozenset({"live"}), now=now)):
            return False
        self.uses[session_id] = max(now, self.uses[session_id])
        return True

    @hookimpl
    async def replace_key_hash(self, session_id: UUID, old: str, new: str, pepper_id: str) -> bool:
        await asyncio.sleep(0)
        if self.hashes.get(session_id, (None,))[0] != old:
            return False
        self.hashes[session_id] = new, pepper_id
        return True

    @hookimpl
    async def update(self, session_id: UUID, changes: Changes, where: Where) -> Record | None:
        await asyncio.sleep(0)
        if not self._matches(session_id, where):
            return None
        self.changing[session_id].update(changes)
        return self._record(session_id)

    @hookimpl
    async def delete(self, session_id: UUID, where: Where) -> SessionRef | None:
        await asyncio.sleep(0)
        return self._remove(session_id) if self._matches(session_id, where) else None

    @hookimpl
    async def find(self, where: Where, after: UUID | None, limit: int) -> list[Record]:
        await asyncio.sleep(0)
        found = self._matching(where)
        return [record for record in found if after is None or record.id > after][:limit]

    @hookimpl
    async def count(self, where: Where) -> int:
        return len(self._matching(where))

    @hookimpl
    async def update_where(self, where: Where, changes: Changes) -> int:
        matching = self._matching(where)
        for record in matching:
            self.changing[record.id].update(changes)
        return len(matching)

    @hookimpl
    async def delete_where(self, where: Where, keep: frozenset[UUID]) -> list[SessionRef]:
        return [self._remove(r.id) for r in self._matching(where) if r.id not in keep]

    @hookimpl
    async def purge(self, where: Where, limit: int) -> int:
        return len([self._remove(r.id) for r in self._matching(where)[:limit]])

    @hookimpl
    async def pepper_counts(self) -> dict[str, int]:
        return dict(Counter(pepper_id for _, pepper_id in self.hashes.values()))
