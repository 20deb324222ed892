"""Stores that several processes share, whose answers depend on the process that asks."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from coatcheck import BackendInfo, Capability, Changes, Record, SessionRef, Where
from coatcheck_backends.memory import MemoryBackend

from .declaring import broken, marked
from .harnesses import InMemory


class Front(MemoryBackend):
    """A correct one: an opening of a store that others have opened, too.

    :ivar known: what this opening remembers by itself, for those that trust it.
    """

    def __init__(self, shared: MemoryBackend) -> None:
        super().__init__()
        self._records, self._lock = shared._records, shared._lock
        self.known: dict[UUID, Record] = {}

    def info(self) -> BackendInfo:
        return BackendInfo(
            "shared", 1, {Capability.SCAN, Capability.LINEARIZABLE, Capability.SHARED}
        )

    def close(self) -> None:
        """Others are still at work."""


class Shared(InMemory):
    """Each opening is one of its own."""

    def __init__(self, front: type[Any]) -> None:
        super().__init__()
        self._front = marked(front)

    def open(self) -> object:
        return self._front(self.backend)


def broken_front(laws: set[int], name: str) -> Any:
    """Decorates a class of openings."""

    def add(front: type[Front]) -> type[Front]:
        broken(name, laws, lambda: Shared(front))
        return front

    return add


class Trusting(Front):
    """Takes what it has seen once for what is there."""

    def load(self, session_id: UUID) -> Record | None:
        record = super().load(session_id)
        if record is not None:
            self.known[session_id] = record
        return record or self.known.get(session_id)

    def delete(self, session_id: UUID, where: Where) -> SessionRef | None:
        self.known.pop(session_id, None)
        return super().delete(session_id, where)


broken_front({5}, "another process does not see a revocation")(Trusting)


@broken_front({5}, "another process sees a revocation after its own next write")
class UntilItWrites(Trusting):
    def insert(self, record: Record) -> None:
        self.known.clear()
        super().insert(record)


@broken_front({5}, "a revocation is only of what this process has issued")
class OwnOnly(Front):
    def insert(self, record: Record) -> None:
        super().insert(record)
        self.known[record.id] = record

    def delete(self, session_id: UUID, where: Where) -> SessionRef | None:
        return super().delete(session_id, where) if session_id in self.known else None


@broken_front({6}, "another process does not see a change of scopes")
class OldScopes(Front):
    def load(self, session_id: UUID) -> Record | None:
        record = super().load(session_id)
        if record is None:
            return None
        first = self.known.setdefault(session_id, record)
        return record._replace(scopes=first.scopes)

    def update(self, session_id: UUID, changes: Changes, where: Where) -> Record | None:
        self.known.pop(session_id, None)
        return super().update(session_id, changes, where)

    def update_where(self, where: Where, changes: Changes) -> int:
        self.known.clear()
        return super().update_where(where, changes)
