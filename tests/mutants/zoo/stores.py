"""Backends that break what is said of existence, touches and updates.

Each is one change away from the memory backend, or from the core over it.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Any
from uuid import UUID

from coatcheck import BackendUnavailable, Changes, DuplicateSession, Record, SessionRef, Where
from coatcheck_backends.memory import MemoryBackend

from .declaring import broken_store


class Remembering(MemoryBackend):
    """Correct, and keeps each record as it was loaded, for those that write it back."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: dict[UUID, Record] = {}

    def load(self, session_id: UUID) -> Record | None:
        record = super().load(session_id)
        if record is not None:
            self.loaded[session_id] = record
        return record


# Law 3 and 4


@broken_store({2, 3, 4, 8, 9}, "a touch stores its instant to the second")
class CoarseTouch(MemoryBackend):
    def touch(self, session_id: UUID, now: int) -> bool:
        return super().touch(session_id, now // 1000 * 1000)


@broken_store({4, 6, 8}, "a touch moves last_used_at back")
class MovesBack(MemoryBackend):
    def touch(self, session_id: UUID, now: int) -> bool:
        record = self._records.get(session_id)
        if record is None or record.state(now) != "live":
            return False
        self._records[session_id] = record._replace(last_used_at=now)
        return True


@broken_store({2, 3, 4, 8}, "a touch says no if the session was used later already")
class LaterIsNo(MemoryBackend):
    def touch(self, session_id: UUID, now: int) -> bool:
        record = self._records.get(session_id)
        return record is not None and record.last_used_at < now and super().touch(session_id, now)


@broken_store({4, 6, 8, 9}, "a touch writes the whole row as it was loaded")
class WholeRowTouch(Remembering):
    def touch(self, session_id: UUID, now: int) -> bool:
        touched = super().touch(session_id, now)
        if touched and session_id in self.loaded:
            last_used_at = self._records[session_id].last_used_at
            loaded = self.loaded[session_id]
            self._records[session_id] = loaded._replace(last_used_at=last_used_at)
        return touched


@broken_store({2, 4, 8, 9}, "a touch extends expires_at")
class Extending(MemoryBackend):
    def touch(self, session_id: UUID, now: int) -> bool:
        touched = super().touch(session_id, now)
        record = self._records.get(session_id)
        if touched and record is not None and record.expires_at is not None:
            self._records[session_id] = record._replace(expires_at=record.expires_at + 1000)
        return touched


@broken_store({4}, "a touch of a session that is gone says yes")
class GoneIsYes(MemoryBackend):
    def touch(self, session_id: UUID, now: int) -> bool:
        return super().touch(session_id, now) or session_id not in self._records


@broken_store({4}, "a touch raises when the row is gone")
class RaisesWhenGone(MemoryBackend):
    def touch(self, session_id: UUID, now: int) -> bool:
        if session_id not in self._records:
            raise BackendUnavailable("no row was changed")
        return super().touch(session_id, now)


# Law 5


@broken_store({5}, "delete reports an absent id as deleted")
class AbsentDeleted(MemoryBackend):
    def delete(self, session_id: UUID, where: Where) -> SessionRef | None:
        return super().delete(session_id, where) or SessionRef(session_id, "user", "password")


@broken_store({1, 5, 16}, "delete says no though it removed")
class SilentDelete(MemoryBackend):
    def delete(self, session_id: UUID, where: Where) -> SessionRef | None:
        super().delete(session_id, where)
        return None


@broken_store({5}, "a second delete raises")
class SecondDeleteRaises(MemoryBackend):
    def delete(self, session_id: UUID, where: Where) -> SessionRef | None:
        record = self._records[session_id]
        super().delete(session_id, where)
        return SessionRef(record.id, record.user_id, record.method)


@broken_store({4, 5, 7, 9, 10, 11, 16, 18}, "a delete is done at the next write")
class LazyDelete(MemoryBackend):
    def __init__(self) -> None:
        super().__init__()
        self.doomed: list[UUID] = []

    def delete(self, session_id: UUID, where: Where) -> SessionRef | None:
        for doomed in self.doomed:
            self._records.pop(doomed, None)
        self.doomed = [session_id]
        record = self._records.get(session_id)
        return record and SessionRef(record.id, record.user_id, record.method)


@broken_store({5}, "delete looks first and removes later")
class RacyDelete(MemoryBackend):
    def delete(self, session_id: UUID, where: Where) -> SessionRef | None:
        record = self._records.get(session_id)
        if record is None or not where.matches(record):
            return None
        time.sleep(0.002)  # so that the gap is met each time
        self._records.pop(session_id, None)
        return SessionRef(record.id, record.user_id, record.method)


@broken_store({5, 7}, "bulk revocation spares what has ended")
class LiveOnlyBulk(MemoryBackend):
    def delete_where(self, where: Where, keep: frozenset[UUID]) -> list[SessionRef]:
        return super().delete_where(where._replace(state=frozenset({"live"})), keep)


@broken_store({2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 16}, "a read cache of one second")
class Cached(MemoryBackend):
    """Answers `load` from a cache that nothing empties for a second."""

    def __init__(self) -> None:
        super().__init__()
        self.cache: dict[UUID, tuple[float, Record | None]] = {}

    def load(self, session_id: UUID) -> Record | None:
        at, record = self.cache.get(session_id, (0.0, None))
        if time.monotonic() - at > 1:
            record = super().load(session_id)
            self.cache[session_id] = time.monotonic(), record
        return record


# Law 6


@broken_store({1, 4, 6, 8, 10}, "an update merges scopes")
class Merging(MemoryBackend):
    def update(self, session_id: UUID, changes: Changes, where: Where) -> Record | None:
        record = self._records.get(session_id)
        if record is not None and "scopes" in changes:
            changes = {**changes, "scopes": record.scopes | changes["scopes"]}
        return super().update(session_id, changes, where)


@broken_store({6, 7, 8}, "a bulk update merges scopes")
class BulkMerging(MemoryBackend):
    def update_where(self, where: Where, changes: Changes) -> int:
        matching = self._matching(where)
        for record in matching:
            scopes = record.scopes | changes.get("scopes", frozenset())
            self._records[record.id] = record._replace(**{**changes, "scopes": scopes})
        return len(matching)


@broken_store({1, 6}, "an update to no scopes is ignored")
class NoScopesIgnored(MemoryBackend):
    def update(self, session_id: UUID, changes: Any, where: Where) -> Record | None:
        given = {name: value for name, value in changes.items() if value or name != "scopes"}
        return super().update(session_id, given, where)  # type: ignore[arg-type]


@broken_store({1, 2, 4, 6, 8, 10}, "a change of scopes is told and not stored")
class ToldNotStored(MemoryBackend):
    def update(self, session_id: UUID, changes: Changes, where: Where) -> Record | None:
        before = self._records.get(session_id)
        changed = super().update(session_id, changes, where)
        if changed is not None and before is not None:
            self._records[session_id] = changed._replace(scopes=before.scopes)
        return changed


# Law 8


@broken_store({8, 9}, "an update writes the whole row as it was read a little earlier")
class WholeRowUpdate(MemoryBackend):
    def __init__(self) -> None:
        super().__init__()
        self.together = threading.Barrier(2)

    def update(self, session_id: UUID, changes: Changes, where: Where) -> Record | None:
        record = self._records.get(session_id)
        with suppress(threading.BrokenBarrierError):
            self.together.wait(timeout=0.02)  # both have read before one writes
        self.together.reset()
        if record is None or not where.matches(record):
            return None
        self._records[session_id] = changed = record._replace(**changes)
        return changed


@broken_store({3, 8, 10}, "a hash rewrite writes the whole row as it was loaded")
class WholeRowRewrite(Remembering):
    def replace_key_hash(self, session_id: UUID, old: str, new: str, pepper_id: str) -> bool:
        replaced = super().replace_key_hash(session_id, old, new, pepper_id)
        if replaced:
            loaded = self.loaded[session_id]
            self._records[session_id] = loaded._replace(key_hash=new, pepper_id=pepper_id)
        return replaced


@broken_store({1, 4, 8}, "an update takes the fields it was not given for empty")
class Emptying(MemoryBackend):
    def update(self, session_id: UUID, changes: Changes, where: Where) -> Record | None:
        return super().update(session_id, {"metadata": "{}", **changes}, where)


@broken_store({2, 3, 4, 8, 9, 14}, "an update counts as a use, with the instant of its filter")
class UpdateIsUse(MemoryBackend):
    def update(self, session_id: UUID, changes: Any, where: Where) -> Record | None:
        return super().update(session_id, {**changes, "last_used_at": where.now}, where)  # type: ignore[arg-type,typeddict-unknown-key]


# Law 9


@broken_store({4, 9}, "a touch upserts")
class UpsertingTouch(Remembering):
    def touch(self, session_id: UUID, now: int) -> bool:
        if session_id not in self._records and session_id in self.loaded:
            self._records[session_id] = self.loaded[session_id]
        return super().touch(session_id, now)


@broken_store({9}, "an update upserts")
class UpsertingUpdate(MemoryBackend):
    def update(self, session_id: UUID, changes: Changes, where: Where) -> Record | None:
        if session_id not in self._records:
            new = Record(session_id, "", "", frozenset(), "{}", 0, where.now, None, None, "", "")
            self._records[session_id] = new
        return super().update(session_id, changes, where)


@broken_store({9}, "a hash rewrite upserts")
class UpsertingRewrite(Remembering):
    def replace_key_hash(self, session_id: UUID, old: str, new: str, pepper_id: str) -> bool:
        if session_id not in self._records:
            self._records[session_id] = self.loaded[session_id]
        return super().replace_key_hash(session_id, old, new, pepper_id)


@broken_store({2, 9}, "a touch revives an ended session")
class RevivingTouch(MemoryBackend):
    def touch(self, session_id: UUID, now: int) -> bool:
        record = self._records.get(session_id)
        if record is None:
            return False
        self._records[session_id] = record._replace(last_used_at=max(now, record.last_used_at))
        return True


@broken_store({2, 9}, "an update revives an ended session")
class RevivingUpdate(MemoryBackend):
    def update(self, session_id: UUID, changes: Changes, where: Where) -> Record | None:
        return super().update(session_id, changes, where._replace(state=None))


@broken_store({2, 7, 9}, "a bulk update revives ended sessions")
class RevivingBulk(MemoryBackend):
    def update_where(self, where: Where, changes: Changes) -> int:
        return super().update_where(where._replace(state=None), changes)


@broken_store({4, 8, 9}, "a touch writes the deadlines of an earlier read")
class OldDeadlines(Remembering):
    def touch(self, session_id: UUID, now: int) -> bool:
        touched = super().touch(session_id, now)
        if touched and (old := self.loaded.get(session_id)):
            self._records[session_id] = self._records[session_id]._replace(
                expires_at=old.expires_at, inactivity_timeout=old.inactivity_timeout
            )
        return touched


@broken_store({9}, "an insert overwrites")
class Overwriting(MemoryBackend):
    def insert(self, record: Record) -> None:
        self._records[record.id] = record


@broken_store({9}, "an insert looks first and writes later")
class RacyInsert(MemoryBackend):
    def insert(self, record: Record) -> None:
        if record.id in self._records:
            raise DuplicateSession(f"session {record.id} exists already")
        time.sleep(0.001)  # so that the gap is met
        self._records[record.id] = record


@broken_store({9}, "a second insert of one id reports success")
class QuietInsert(MemoryBackend):
    def insert(self, record: Record) -> None:
        self._records.setdefault(record.id, record)
