"""Sessions in a dictionary: for tests, for trying things out, and as the template for authors.

    SessionManager.open("memory:", pepper=…)

Everything is gone when the process ends, and no other process sees it. After a
`fork` the child goes on with a copy of what was there and a lock of its own; from
then on neither process sees what the other does, a revocation included.
"""

from __future__ import annotations

import heapq
import threading
from collections import Counter
from uuid import UUID

from coatcheck import (
    BackendInfo,
    Capability,
    Changes,
    ConfigError,
    DuplicateSession,
    Record,
    Secret,
    SessionRef,
    Where,
    WouldBlock,
    hookimpl,
    remaining,
)

from ._forks import renew_after_fork

SINGLE_SESSION_HOOKS = frozenset(
    {"ping", "insert", "load", "touch", "replace_key_hash", "update", "delete"}
)


@hookimpl
def open_backend(url: Secret[str]) -> object:
    """The module hook that the entry point leads to. Each call gives a store of its own."""
    if url.reveal() not in ("memory:", "memory://"):
        raise ConfigError("memory: the URL is 'memory:', without a path and without options")
    return MemoryBackend()


class MemoryBackend:
    """All required hooks, and the optional ones that a dictionary makes easy; no transactions."""

    def __init__(self) -> None:
        self._records: dict[UUID, Record] = {}
        self._lock = PatientLock()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """In a child, which goes on with a copy."""
        self._lock.renew()

    @hookimpl
    def info(self) -> BackendInfo:
        return BackendInfo(
            name="memory",
            spec_version=1,  # as its author knew it: not the constant, which a newer core changes
            capabilities={Capability.SCAN, Capability.LINEARIZABLE},
            inline=SINGLE_SESSION_HOOKS,
        )

    @hookimpl
    def prepare(self, create: bool) -> None:
        """Nothing to make, and nothing to check."""

    @hookimpl
    def close(self) -> None:
        self._records = {}

    @hookimpl
    def ping(self) -> None:
        """A dictionary is always there."""

    @hookimpl
    def insert(self, record: Record) -> None:
        with self._lock:
            if record.id in self._records:
                raise DuplicateSession(f"session {record.id} exists already")
            self._records[record.id] = record

    @hookimpl
    def load(self, session_id: UUID) -> Record | None:
        return self._records.get(session_id)

    @hookimpl
    def touch(self, session_id: UUID, now: int) -> bool:
        with self._lock:
            record = self._records.get(session_id)
            if record is None or record.state(now) != "live":
                return False
            if record.last_used_at < now:
                self._records[session_id] = record._replace(last_used_at=now)
            return True

    @hookimpl
    def replace_key_hash(self, session_id: UUID, old: str, new: str, pepper_id: str) -> bool:
        with self._lock:
            record = self._records.get(session_id)
            if record is None or record.key_hash != old:
                return False
            self._records[session_id] = record._replace(key_hash=new, pepper_id=pepper_id)
            return True

    @hookimpl
    def update(self, session_id: UUID, changes: Changes, where: Where) -> Record | None:
        with self._lock:
            record = self._records.get(session_id)
            if record is None or not where.matches(record):
                return None
            # A record is a tuple, so what was handed out before does not change with this.
            self._records[session_id] = changed = record._replace(**changes)
            return changed

    @hookimpl
    def delete(self, session_id: UUID, where: Where) -> SessionRef | None:
        with self._lock:
            record = self._records.get(session_id)
            if record is None or not where.matches(record):
                return None
            del self._records[session_id]
            return SessionRef(record.id, record.user_id, record.method)

    @hookimpl
    def find(self, where: Where, after: UUID | None, limit: int) -> list[Record]:
        matching = (r for r in self._matching(where) if after is None or r.id > after)
        return heapq.nsmallest(limit, matching)  # the id comes first in a record, and is unique

    @hookimpl
    def count(self, where: Where) -> int:
        return len(self._matching(where))

    @hookimpl
    def update_where(self, where: Where, changes: Changes) -> int:
        with self._lock:
            matching = self._matching(where)
            self._records.update({r.id: r._replace(**changes) for r in matching})
        return len(matching)

    @hookimpl
    def delete_where(self, where: Where, keep: frozenset[UUID]) -> list[SessionRef]:
        with self._lock:
            doomed = [r for r in self._matching(where) if r.id not in keep]
            for record in doomed:
                del self._records[record.id]
        return [SessionRef(r.id, r.user_id, r.method) for r in doomed]

    @hookimpl
    def purge(self, where: Where, limit: int) -> int:
        with self._lock:
            doomed = self._matching(where)[:limit]
            for record in doomed:
                del self._records[record.id]
        return len(doomed)

    @hookimpl
    def pepper_counts(self) -> dict[str, int]:
        return dict(Counter(r.pepper_id for r in self._matching(Where())))

    def _matching(self, where: Where) -> list[Record]:
        # list() copies in one step of the interpreter, so that readers need no lock.
        return [record for record in list(self._records.values()) if where.matches(record)]


class PatientLock:
    """A lock that waits no longer than the running call may, and not at all on an event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        if not self._lock.acquire(timeout=remaining()):
            raise WouldBlock("memory: another thread holds the store")

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def renew(self) -> None:
        """A fork may have copied the lock while another thread held it."""
        self._lock = threading.Lock()
