"""A file to which every change is appended. What is there now is found by reading it all."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from coatcheck import BackendInfo, Changes, DuplicateSession, Record, SessionRef, Where, hookimpl


class Logbook:
    """The required hooks, and no others. Several openings of one file see each other."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def _locked(self) -> Iterator[IO[str]]:
        with self._path.open("a+") as log:
            fcntl.flock(log, fcntl.LOCK_EX)
            yield log

    @staticmethod
    def _replayed(log: IO[str]) -> dict[UUID, Record]:
        log.seek(0)
        records: dict[UUID, Record] = {}
        for line in log:
            key, change = json.loads(line)
            session_id = UUID(key)
            if change is None:
                del records[session_id]
                continue
            if "scopes" in change:
                change["scopes"] = frozenset(change["scopes"])
            if session_id in records:
                records[session_id] = records[session_id]._replace(**change)
            else:
                records[session_id] = Record(session_id, **change)
        return records

    @staticmethod
    def _append(log: IO[str], session_id: UUID, change: dict[str, Any] | None) -> None:
        if change is not None and "scopes" in change:
            change = {**change, "scopes": sorted(change["scopes"])}
        log.write(json.dumps([str(session_id), change]) + "\n")

    def _read(self) -> dict[UUID, Record]:
        with self._locked() as log:
            return self._replayed(log)

    @hookimpl
    def info(self) -> BackendInfo:
        return BackendInfo("logbook", 1, {"scan", "shared", "linearizable"})

    @hookimpl
    def prepare(self, create: bool) -> None:
        if create:
            self._path.touch()

    @hookimpl
    def close(self) -> None: ...

    @hookimpl
    def ping(self) -> None:
        self._path.stat()

    @hookimpl
    def insert(self, record: Record) -> None:
        with self._locked() as log:
            if record.id in self._replayed(log):
                raise DuplicateSession(f"session {record.id} is in the log")
            fields = record._asdict()
            del fields["id"]
            self._append(log, record.id, fields)

    @hookimpl
    def load(self, session_id: UUID) -> Record | None:
        return self._read().get(session_id)

    @hookimpl
    def touch(self, session_id: UUID, now: int) -> bool:
        with self._locked() as log:
            record = self._replayed(log).get(session_id)
            if record is None or not Where(state=frozenset({"live"}), now=now).matches(record):
                return False
            if now > record.last_used_at:
                self._append(log, session_id, {"last_used_at": now})
            return True

    @hookimpl
    def replace_key_hash(self, session_id: UUID, old: str, new: str, pepper_id: str) -> bool:
        with self._locked() as log:
            record = self._replayed(log).get(session_id)
            if record is None or record.key_hash != old:
                return False
            self._append(log, session_id, {"key_hash": new, "pepper_id": pepper_id})
            return True

    @hookimpl
    def update(self, session_id: UUID, changes: Changes, where: Where) -> Record | None:
        with self._locked() as log:
            record = self._replayed(log).get(session_id)
            if record is None or not where.matches(record):
                return None
            self._append(log, session_id, dict(changes))
            return record._replace(**changes)

    @hookimpl
    def delete(self, session_id: UUID, where: Where) -> SessionRef | None:
        with self._locked() as log:
            record = self._replayed(log).get(session_id)
            if record is None or not where.matches(record):
                return None
            self._append(log, session_id, None)
            return SessionRef(record.id, record.user_id, record.method)

    @hookimpl
    def find(self, where: Where, after: UUID | None, limit: int) -> list[Record]:
        found = [r for r in self._read().values() if where.matches(r)]
        return sorted(r for r in found if after is None or r.id > after)[:limit]
