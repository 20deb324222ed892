"""Backends whose optional hooks say or do something else than the required ones would."""

from __future__ import annotations

from uuid import UUID

from coatcheck import Changes, Record, SessionRef, Where
from coatcheck_backends.memory import MemoryBackend

from .declaring import broken_store


@broken_store({10}, "pepper_counts counts what it has seen inserted")
class CountsInserted(MemoryBackend):
    def __init__(self) -> None:
        super().__init__()
        self.inserted: dict[UUID, str] = {}

    def insert(self, record: Record) -> None:
        super().insert(record)
        self.inserted[record.id] = record.pepper_id

    def pepper_counts(self) -> dict[str, int]:
        ids = [self.inserted.get(key, "") for key in self._records]
        return {pepper_id: ids.count(pepper_id) for pepper_id in ids}


@broken_store({10}, "pepper_counts knows one pepper only")
class OnePepper(MemoryBackend):
    def pepper_counts(self) -> dict[str, int]:
        return dict(list(super().pepper_counts().items())[:1])


@broken_store({7}, "a count is a little less than what find gives")
class CountsLess(MemoryBackend):
    def count(self, where: Where) -> int:
        return min(super().count(where), 3)


@broken_store({7}, "update_where changes one session of each user")
class OneOfEachUser(MemoryBackend):
    def update_where(self, where: Where, changes: Changes) -> int:
        chosen = {record.user_id: record for record in self._matching(where)}
        for record in chosen.values():
            self._records[record.id] = record._replace(**changes)
        return len(chosen)


@broken_store({1, 7}, "update_where sets the first field that it is given")
class OneField(MemoryBackend):
    def update_where(self, where: Where, changes: Changes) -> int:
        first = dict(list(changes.items())[:1])
        return super().update_where(where, first)  # type: ignore[arg-type]


@broken_store({5, 7}, "delete_where removes no more than two")
class TwoAtMost(MemoryBackend):
    def delete_where(self, where: Where, keep: frozenset[UUID]) -> list[SessionRef]:
        matching = sorted(r.id for r in self._matching(where) if r.id not in keep)
        return super().delete_where(where, keep | frozenset(matching[2:]))


@broken_store({2, 14}, "purge counts what it has left")
class CountsLeft(MemoryBackend):
    def purge(self, where: Where, limit: int) -> int:
        return super().purge(where, limit) and len(self._records)


@broken_store({14}, "purge gives up before a session without an end")
class GivesUp(MemoryBackend):
    def purge(self, where: Where, limit: int) -> int:
        if any(record.valid_until is None for record in self._records.values()):
            return 0
        return super().purge(where, limit)


@broken_store({14}, "delete ignores its filter", required_only=True)
class DeleteIgnoresFilter(MemoryBackend):
    def delete(self, session_id: UUID, where: Where) -> SessionRef | None:
        return super().delete(session_id, Where())


@broken_store({8, 13}, "find ignores its cursor when a filter is given")
class NoCursorWithFilter(MemoryBackend):
    def find(self, where: Where, after: UUID | None, limit: int) -> list[Record]:
        filtered = any(value is not None for value in where[:5])
        return super().find(where, None if filtered else after, limit)


@broken_store({6}, "the index of scopes is not renewed by an update")
class OldIndex(MemoryBackend):
    def __init__(self) -> None:
        super().__init__()
        self.index: dict[UUID, frozenset[str]] = {}

    def insert(self, record: Record) -> None:
        super().insert(record)
        self.index[record.id] = record.scopes

    def count(self, where: Where) -> int:
        found = self._matching(where._replace(scope=None))
        scope = where.scope
        return sum(scope is None or scope in self.index.get(r.id, r.scopes) for r in found)
