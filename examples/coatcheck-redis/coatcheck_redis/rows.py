"""Sessions and filters as the texts that are sent and stored, and back."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from coatcheck import BackendError, Record, SessionRef, Where

FIELDS = Record._fields[1:]


def text_of(value: str | int | frozenset[str] | None) -> str:
    """A field: scopes with a blank before and after each, a time in decimal, None as ''."""
    if isinstance(value, frozenset):
        return " ".join(["", *sorted(value), ""])
    return "" if value is None else str(value)


def texts_of(fields: Mapping[str, Any]) -> list[str]:
    """Names and values in turn."""
    return [text for name, value in fields.items() for text in (name, text_of(value))]


def filter_of(where: Where, **more: object) -> str:
    """A filter as JSON, without what does not filter."""
    given = {name: value for name, value in where._asdict().items() if value is not None}
    if where.state is not None:
        given["state"] = dict.fromkeys(where.state, True)
    return json.dumps({**given, "now": where.now, **more}, ensure_ascii=False)


def record_of(session_id: UUID, values: Sequence[Any]) -> Record:
    """The session that is stored so. Raises `BackendError` if it cannot be read."""
    try:
        texts: list[str] = [value.decode() for value in values]
        row: dict[str, Any] = {"id": session_id, **dict(zip(FIELDS, texts, strict=True))}
        row["scopes"] = frozenset(scope for scope in row["scopes"].split(" ") if scope)
        for name in ("created_at", "last_used_at"):
            row[name] = int(row[name])
        for name in ("expires_at", "inactivity_timeout"):
            row[name] = int(row[name]) if row[name] else None
        record = Record(**row)
        if [text_of(value) for value in record[1:]] == texts:  # int() takes many spellings
            return record
    except (AttributeError, TypeError, ValueError):
        pass  # what it says may quote a value, and must be no error's context
    raise BackendError(f"redis: session {session_id} cannot be read")


def ref_of(session_id: bytes, *texts: bytes | None) -> SessionRef:
    """What is left of a session, which may have been unreadable."""
    user_id, method = ((text or b"").decode(errors="replace") for text in texts)
    return SessionRef(UUID(session_id.decode()), user_id, method)
