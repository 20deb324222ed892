"""A correct backend of the required hooks alone, as an author might write it first."""

from __future__ import annotations

from threading import RLock
from uuid import UUID

from coatcheck import BackendInfo, Changes, DuplicateSession, Record, SessionRef, Where, hookimpl


class PlainBackend:
    """A dictionary under a lock; every optional hook is left to the core."""

    def __init__(self) -> None:
        self.rows: dict[UUID, Record] = {}
        self.lock = RLock()

    @hookimpl
    def info(self) -> BackendInfo:
        return BackendInfo("plain", 1, {"scan", "linearizable"})

    @hookimpl
    def prepare(self, create: bool) -> None: ...

    @hookimpl
    def close(self) -> None: ...

    @hookimpl
    def ping(self) -> None: ...

    @hookimpl
    def insert(self, record: Record) -> None:
        with self.lock:
            if record.id in self.rows:
                raise DuplicateSession(f"session {record.id} exists")
            self.rows[record.id] = record

    @hookimpl
    def load(self, session_id: UUID) -> Record | None:
        return self.rows.get(session_id)

    @hookimpl
    def touch(self, session_id: UUID, now: int) -> bool:
        with self.lock:
            record = self.rows.get(session_id)
            if record is None or record.state(now) != "live":
                return False
            self.rows[session_id] = record._replace(last_used_at=max(now, record.last_used_at))
            return True

    @hookimpl
    def replace_key_hash(self, session_id: UUID, old: str, new: str, pepper_id: str) -> bool:
        with self.lock:
            record = self.rows.get(session_id)
            if record is None or record.key_hash != old:
                return False
            self.rows[session_id] = record._replace(key_hash=new, pepper_id=pepper_id)
            return True

    @hookimpl
    def update(self, session_id: UUID, changes: Changes, where: Where) -> Record | None:
        with self.lock:
            record = self.rows.get(session_id)
            if record is None or not where.matches(record):
                return None
            self.rows[session_id] = record._replace(**changes)
            return self.rows[session_id]

    @hookimpl
    def delete(self, session_id: UUID, where: Where) -> SessionRef | None:
        with self.lock:
            record = self.rows.get(session_id)
            if record is None or not where.matches(record):
                return None
            del self.rows[session_id]
            return SessionRef(record.id, record.user_id, record.method)

    @hookimpl
    def find(self, where: Where, after: UUID | None, limit: int) -> list[Record]:
        with self.lock:
            ids = sorted(i for i in self.rows if after is None or i > after)
            return [self.rows[i] for i in ids if where.matches(self.rows[i])][:limit]
