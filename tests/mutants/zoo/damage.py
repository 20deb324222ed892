"""Backends that make the worst of a row that cannot be read."""

from __future__ import annotations

from uuid import UUID

from coatcheck import BackendUnavailable, Record, SessionRef, Where
from coatcheck_backends.memory import MemoryBackend

from .declaring import broken_store


def _is_damaged(record: Record | None) -> bool:
    return record is not None and not isinstance(record.metadata, str)


@broken_store({16}, "a row that cannot be read is taken for absent")
class DamagedIsAbsent(MemoryBackend):
    def load(self, session_id: UUID) -> Record | None:
        record = super().load(session_id)
        return None if _is_damaged(record) else record


@broken_store({16}, "a row that cannot be read is a session all the same")
class DamagedIsSession(MemoryBackend):
    def load(self, session_id: UUID) -> Record | None:
        record = super().load(session_id)
        return record._replace(metadata="{}") if record and _is_damaged(record) else record


@broken_store({16}, "a row that cannot be read is an error that does not say which")
class DamagedIsNameless(MemoryBackend):
    def load(self, session_id: UUID) -> Record | None:
        record = super().load(session_id)
        if _is_damaged(record):
            raise BackendUnavailable("a row cannot be read")
        return record


@broken_store({16}, "a row that cannot be read cannot be revoked")
class DamagedStays(MemoryBackend):
    def delete(self, session_id: UUID, where: Where) -> SessionRef | None:
        record = super().load(session_id)
        if _is_damaged(record):
            raise ValueError(f"session {session_id}: no JSON")
        return super().delete(session_id, where)


@broken_store({16}, "the revocation of a row that cannot be read finds nothing")
class DamagedIsNotFound(MemoryBackend):
    def delete(self, session_id: UUID, where: Where) -> SessionRef | None:
        return None if _is_damaged(super().load(session_id)) else super().delete(session_id, where)
