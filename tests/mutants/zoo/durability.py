"""Backends that declare to be durable, and lose in a crash what they have acknowledged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from coatcheck import BackendInfo, Capability, Changes, Record, SessionRef, Where
from coatcheck_backends.memory import MemoryBackend

from .declaring import broken, broken_store, marked
from .harnesses import InMemory


class Disk(MemoryBackend):
    """A correct one: what is in `written` is what a crash leaves."""

    def __init__(self) -> None:
        super().__init__()
        self.written: dict[UUID, Record] = {}

    def info(self) -> BackendInfo:
        return BackendInfo(
            "disk", 1, {Capability.SCAN, Capability.LINEARIZABLE, Capability.DURABLE}
        )

    def flush(self, hook: str) -> None:
        """Everything that this hook and those before it have changed is written."""
        self.written = dict(self._records)

    def insert(self, record: Record) -> None:
        super().insert(record)
        self.flush("insert")

    def touch(self, session_id: UUID, now: int) -> bool:
        touched = super().touch(session_id, now)
        self.flush("touch")
        return touched

    def update(self, session_id: UUID, changes: Changes, where: Where) -> Record | None:
        record = super().update(session_id, changes, where)
        self.flush("update")
        return record

    def delete(self, session_id: UUID, where: Where) -> SessionRef | None:
        ref = super().delete(session_id, where)
        self.flush("delete")
        return ref


class OnDisk(InMemory):
    """Its crash leaves what was written."""

    backend: Disk

    def reset(self) -> None:
        super().reset()
        self.backend.written.clear()

    def crash(self) -> None:
        self.backend._records = dict(self.backend.written)


def loses(laws: set[int], name: str) -> Callable[[type[Disk]], type[Disk]]:
    """Decorates a disk that does."""

    def add(disk: type[Disk]) -> type[Disk]:
        broken(name, laws, lambda: OnDisk(marked(disk)()))
        return disk

    return add


class Late(Disk):
    """Leaves one hook to be written with the next."""

    late = ""

    def flush(self, hook: str) -> None:
        if hook != self.late:
            super().flush(hook)


def _late(name: str, hook: str) -> None:
    loses({15}, f"{name} is acknowledged before it is written")(
        type(f"Late{hook}", (Late,), {"late": hook})
    )


_late("an issue", "insert")
_late("an update", "update")
_late("a revocation", "delete")


@loses({15}, "every second write is written")
class EverySecond(Disk):
    writes = 0

    def flush(self, hook: str) -> None:
        self.writes += 1
        if self.writes % 2 == 0:
            super().flush(hook)


@loses({15}, "a crash leaves only what was there at the last issue")
class WrittenAtIssue(Disk):
    def flush(self, hook: str) -> None:
        if hook == "insert":
            super().flush(hook)


@loses({15}, "a revocation is written over by an older copy in a crash")
class Restored(Disk):
    """As of a primary that acknowledged alone, and was deposed: `w: 1`."""

    def flush(self, hook: str) -> None:
        before = dict(self.written)
        super().flush(hook)
        if hook == "delete":
            self.written = before | self.written


@loses({15}, "an update is written without its scopes")
class ScopesUnwritten(Disk):
    def flush(self, hook: str) -> None:
        before = self.written
        super().flush(hook)
        if hook == "update":
            self.written = {
                each.id: each._replace(scopes=before[each.id].scopes)
                for each in self.written.values()
            }


@broken_store({5, 9, 10, 11, 15}, "prepare begins with nothing")
class Forgetful(MemoryBackend):
    def prepare(self, create: bool) -> None:
        self._records = {}


@broken_store({15}, "prepare without creating begins with nothing")
class ForgetfulCheck(MemoryBackend):
    def prepare(self, create: bool) -> None:
        if not create:
            self._records = {}


@broken_store({5, 9, 10, 11, 15}, "prepare drops the oldest session")
class DropsOldest(MemoryBackend):
    def prepare(self, create: bool) -> None:
        if self._records:
            del self._records[min(self._records)]


@broken_store({5, 15}, "prepare sets what it finds to its defaults")
class Defaults(MemoryBackend):
    def prepare(self, create: bool) -> None:
        changes: Any = {"method": "password", "scopes": frozenset()}
        self._records = {key: row._replace(**changes) for key, row in self._records.items()}
