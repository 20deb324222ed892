"""One JSON text for each session in a table of two columns, looked into by the database."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from coatcheck import (
    BackendError,
    BackendInfo,
    Changes,
    DuplicateSession,
    Record,
    SessionRef,
    Where,
    hookimpl,
)

TABLE = "CREATE TABLE IF NOT EXISTS sessions (id BLOB PRIMARY KEY, document TEXT) WITHOUT ROWID"
EXPIRED = "document->>'expires_at' <= :now"
RESTED = "document->>'last_used_at' + document->>'inactivity_timeout' <= :now"
STATES = {
    "expired": f"ifnull({EXPIRED}, 0)",
    "inactive": f"(ifnull({RESTED}, 0) AND NOT ifnull({EXPIRED}, 0))",
    "live": f"NOT (ifnull({EXPIRED}, 0) OR ifnull({RESTED}, 0))",
}
SCOPE = "EXISTS (SELECT 1 FROM json_each(document, '$.scopes') WHERE value = :scope)"


def condition(where: Where) -> tuple[str, dict[str, Any]]:
    """Where in SQL, and its parameters."""
    terms = ["1"]
    terms += [
        f"document->>'{name}' = :{name}"
        for name in ("user_id", "method", "pepper_id")
        if getattr(where, name) is not None
    ]
    if where.scope is not None:
        terms.append(SCOPE)
    if where.state is not None:
        terms.append("(" + " OR ".join(["0", *(STATES[state] for state in where.state)]) + ")")
    return " AND ".join(terms), {**where._asdict(), "state": None}


def _told(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: sorted(value) if key == "scopes" else value for key, value in fields.items()}


class Documents:
    """The required hooks, and of the others `count` and `delete_where` only."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)

    def _run(self, statement: str, parameters: Mapping[str, Any]) -> list[Any]:
        with self._lock:
            return self.database.execute(statement, dict(parameters)).fetchall()

    def _change(
        self, session_id: UUID, fields: Mapping[str, Any], terms: str, more: Mapping[str, Any]
    ) -> list[Any]:
        return self._run(
            "UPDATE sessions SET document = json_patched(document, :new) "
            f"WHERE id = :id AND {terms} RETURNING id, document",
            {**more, "id": session_id.bytes, "new": json.dumps(_told(fields))},
        )

    @staticmethod
    def _record(row: tuple[bytes, str]) -> Record:
        session_id = UUID(bytes=row[0])
        try:
            fields = json.loads(row[1])
            return Record(session_id, **{**fields, "scopes": frozenset(fields["scopes"])})
        except (KeyError, TypeError, ValueError) as error:
            raise BackendError(f"session {session_id}: its document cannot be read") from error

    @hookimpl
    def info(self) -> BackendInfo:
        return BackendInfo("documents", 1, {"scan", "linearizable"})

    @hookimpl
    def prepare(self, create: bool) -> None:
        def patched(document: str, new: str) -> str:
            return json.dumps(json.loads(document) | json.loads(new))

        self.database.create_function("json_patched", 2, patched, deterministic=True)
        if create:
            self._run(TABLE, {})

    @hookimpl
    def close(self) -> None: ...

    @hookimpl
    def ping(self) -> None:
        self._run("SELECT 1", {})

    @hookimpl
    def insert(self, record: Record) -> None:
        fields = _told(record._asdict())
        del fields["id"]
        try:
            self._run(
                "INSERT INTO sessions VALUES (:id, :document)",
                {"id": record.id.bytes, "document": json.dumps(fields)},
            )
        except sqlite3.IntegrityError as error:
            raise DuplicateSession(f"session {record.id} is there") from error

    @hookimpl
    def load(self, session_id: UUID) -> Record | None:
        rows = self._run("SELECT * FROM sessions WHERE id = :id", {"id": session_id.bytes})
        return self._record(rows[0]) if rows else None

    @hookimpl
    def touch(self, session_id: UUID, now: int) -> bool:
        statement = (
            "UPDATE sessions SET document = json_set(document, '$.last_used_at', "
            f"max(document->>'last_used_at', :now)) WHERE id = :id AND {STATES['live']} "
            "RETURNING id"
        )
        return bool(self._run(statement, {"id": session_id.bytes, "now": now}))

    @hookimpl
    def replace_key_hash(self, session_id: UUID, old: str, new: str, pepper_id: str) -> bool:
        fields = {"key_hash": new, "pepper_id": pepper_id}
        terms = "document->>'key_hash' = :old"
        return bool(self._change(session_id, fields, terms, {"old": old}))

    @hookimpl
    def update(self, session_id: UUID, changes: Changes, where: Where) -> Record | None:
        rows = self._change(session_id, changes, *condition(where))
        return self._record(rows[0]) if rows else None

    @hookimpl
    def delete(self, session_id: UUID, where: Where) -> SessionRef | None:
        terms, parameters = condition(where)
        refs = self._deleted(f"id = :id AND {terms}", {**parameters, "id": session_id.bytes})
        return refs[0] if refs else None

    def _deleted(self, terms: str, parameters: Mapping[str, Any]) -> list[SessionRef]:
        rows = self._run(
            f"DELETE FROM sessions WHERE {terms} "
            "RETURNING id, document->>'user_id', document->>'method'",
            parameters,
        )
        return [SessionRef(UUID(bytes=key), user, method) for key, user, method in rows]

    @hookimpl
    def find(self, where: Where, after: UUID | None, limit: int) -> list[Record]:
        terms, parameters = condition(where)
        rows = self._run(
            f"SELECT * FROM sessions WHERE {terms} AND id > :after ORDER BY id LIMIT :limit",
            {**parameters, "after": after.bytes if after else b"", "limit": limit},
        )
        return [self._record(row) for row in rows]

    @hookimpl
    def count(self, where: Where) -> int:
        terms, parameters = condition(where)
        number: int = self._run(f"SELECT count(*) FROM sessions WHERE {terms}", parameters)[0][0]
        return number

    @hookimpl
    def delete_where(self, where: Where, keep: frozenset[UUID]) -> list[SessionRef]:
        terms, parameters = condition(where)
        spared = json.dumps([session_id.bytes.hex() for session_id in keep])
        return self._deleted(
            f"{terms} AND lower(hex(id)) NOT IN (SELECT value FROM json_each(:spared))",
            {**parameters, "spared": spared},
        )
