"""Rows to records and back. A row that cannot be read is named, and none of its values shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeGuard
from uuid import UUID

from coatcheck import BackendError, Changes, Record

Row = Sequence[Any]
"""The ten columns after the id, in the order of `Record`, as a driver gives them."""

TEXT_COLUMNS = ("user_id", "method", "scopes", "metadata", "key_hash", "pepper_id")
ID_SIZE = 16
SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")

_KINDS: tuple[tuple[type, ...], ...] = (
    *[(str,)] * 4,
    *[(int,)] * 2,
    *[(int, type(None))] * 2,
    *[(str,)] * 2,
)


def encode_scopes(scopes: frozenset[str]) -> str:
    """Sorted, with a space before and after each, so that one scope is found by `instr`.

    A scope token of RFC 6749 never holds a space. The empty set is a single space.
    """
    return f" {' '.join(sorted(scopes))} " if scopes else " "


@lru_cache(maxsize=512)
def decode_scopes(text: str) -> frozenset[str]:
    """The inverse. Raises `ValueError` for any text that `encode_scopes` does not give."""
    scopes = frozenset(text.split())
    if text != encode_scopes(scopes) or not all(map(SCOPE_TOKEN.fullmatch, scopes)):
        raise ValueError("not the canonical spelling of a set of scopes")
    return scopes


def unreadable(session_id: UUID | None, column: str) -> BackendError:
    """The error for a row that cannot be read, naming the session and the column."""
    subject = "a session" if session_id is None else f"session {session_id}"
    return BackendError(f"{subject}: the stored row cannot be read ({column})")


def record_from(session_id: UUID, row: Row) -> Record:
    """The record of a row without its id. Raises `BackendError` naming the id and the column.

    On the path of every validation, hence the plain comparisons.
    """
    user_id, method, scopes, metadata, created, used, expires, timeout, key_hash, pepper_id = row
    if (
        type(user_id) is str
        and type(method) is str
        and type(scopes) is str
        and type(metadata) is str
        and type(created) is int
        and type(used) is int
        and (expires is None or type(expires) is int)
        and (timeout is None or type(timeout) is int)
        and type(key_hash) is str
        and type(pepper_id) is str
    ):
        try:
            fields = (
                session_id, user_id, method, decode_scopes(scopes), metadata,
                created, used, expires, timeout, key_hash, pepper_id,
            )  # fmt: skip
        except ValueError:
            raise unreadable(session_id, "scopes") from None
        return Record._make(fields)
    raise unreadable(session_id, _column_of_wrong_type(row))


def record_with_id(row: Row) -> Record:
    """The record of a row that begins with the id's bytes."""
    return record_from(id_from(row[0]), row[1:])


def record_from_bytes(session_id: UUID, row: Row) -> Record:
    """The same of a row whose text comes undecoded, NULL where the column held no text."""
    decoded: list[object] = []
    for name, value in zip(Record._fields[1:], row, strict=True):
        try:
            decoded.append(value.decode() if isinstance(value, bytes) else value)
        except UnicodeDecodeError:
            column = name
            break
    else:
        return record_from(session_id, decoded)
    # Outside of the handler: the exception holds the bytes, which may be a hash.
    raise unreadable(session_id, column)


def is_id(value: object) -> TypeGuard[bytes]:
    """The 16 bytes of a session id."""
    return isinstance(value, bytes) and len(value) == ID_SIZE


def id_from(value: object) -> UUID:
    """A session id from its bytes."""
    if not is_id(value):
        raise unreadable(None, "id")
    return UUID(bytes=value)


def values_of(record: Record) -> dict[str, object]:
    """A record as the values of an INSERT."""
    values: dict[str, object] = record._asdict()
    values["id"] = record.id.bytes
    values["scopes"] = encode_scopes(record.scopes)
    return values


def values_of_changes(changes: Changes) -> dict[str, object]:
    """Changes as the values of an UPDATE, named as `statements.py` names them."""
    values: dict[str, object] = {f"new_{name}": value for name, value in changes.items()}
    if "scopes" in changes:
        values["new_scopes"] = encode_scopes(changes["scopes"])
    return values


def _column_of_wrong_type(row: Row) -> str:
    for name, value, kinds in zip(Record._fields[1:], row, _KINDS, strict=True):
        if type(value) not in kinds:
            return name
    raise AssertionError("every column has the right type")
