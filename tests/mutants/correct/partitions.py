"""A store that finds the sessions of one user only, as those do that are divided by a key."""

from __future__ import annotations

import threading
from uuid import UUID

from coatcheck import BackendInfo, Changes, DuplicateSession, Record, SessionRef, Where, hookimpl


class Partitions:
    """The required hooks, without `scan`: a question without a user has no answer here."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.users: dict[str, dict[UUID, Record]] = {}
        self.user_of: dict[UUID, str] = {}

    @hookimpl
    def info(self) -> BackendInfo:
        return BackendInfo("partitions", 1, {"linearizable"})

    @hookimpl
    def prepare(self, create: bool) -> None: ...

    @hookimpl
    def close(self) -> None: ...

    @hookimpl
    def ping(self) -> None: ...

    @hookimpl
    def insert(self, record: Record) -> None:
        with self.lock:
            if record.id in self.user_of:
                raise DuplicateSession(f"session {record.id} is in a partition")
            self.user_of[record.id] = record.user_id
            self._set(record)

    def _set(self, record: Record) -> Record:
        self.users.setdefault(record.user_id, {})[record.id] = record
        return record

    @hookimpl
    def load(self, session_id: UUID) -> Record | None:
        with self.lock:
            user = self.user_of.get(session_id)
            return None if user is None else self.users[user][session_id]

    @hookimpl
    def touch(self, session_id: UUID, now: int) -> bool:
        with self.lock:
            record = self.load(session_id)
            if record is None or record.state(now) != "live":
                return False
            self._set(record._replace(last_used_at=max(record.last_used_at, now)))
            return True

    @hookimpl
    def replace_key_hash(self, session_id: UUID, old: str, new: str, pepper_id: str) -> bool:
        with self.lock:
            record = self.load(session_id)
            if record is None or record.key_hash != old:
                return False
            self._set(record._replace(key_hash=new, pepper_id=pepper_id))
            return True

    @hookimpl
    def update(self, session_id: UUID, changes: Changes, where: Where) -> Record | None:
        with self.lock:
            record = self.load(session_id)
            if record is None or not where.matches(record):
                return None
            return self._set(record._replace(**changes))

    @hookimpl
    def delete(self, session_id: UUID, where: Where) -> SessionRef | None:
        with self.lock:
            record = self.load(session_id)
            if record is None or not where.matches(record):
                return None
            del self.users[self.user_of.pop(session_id)][session_id]
            return SessionRef(record.id, record.user_id, record.method)

    @hookimpl
    def find(self, where: Where, after: UUID | None, limit: int) -> list[Record]:
        if where.user_id is None:
            raise NotImplementedError("which partition?")
        with self.lock:
            partition = self.users.get(where.user_id, {})
            found = [r for r in partition.values() if where.matches(r)]
            return sorted(r for r in found if after is None or r.id > after)[:limit]
