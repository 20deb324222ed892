"""Rows to records and back. A row that cannot be read is named, and none of its values shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeGuard
from uuid import UUID

from coatcheck import BackendError, Changes, Record

Row = Sequence[Any]
"""The ten columns after the id, in the order of `Record`, as a driver gives them."""

ID_SIZE = 16
SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")

# What `Record._make` does, without the call.
_new_record: Callable[[type[Record], tuple[object, ...]], Record] = tuple.__new__  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def encode_scopes(scopes: frozenset[str]) -> str:
    """Sorted, with a space before and after each, so that one scope is found by `instr`.

    A scope token of RFC 6749 never holds a space. The empty set is a single space.
    """
    return f" {' '.join(sorted(scopes))} " if scopes else " "


@lru_cache(maxsize=512)
def decode_scopes(text: object) -> frozenset[str]:
    """The inverse. Raises `ValueError` for anything that `encode_scopes` does not give."""
    scopes = frozenset(text.split()) if isinstance(text, str) else frozenset[str]()
    if text != encode_scopes(scopes) or not all(map(SCOPE_TOKEN.fullmatch, scopes)):
        raise ValueError("not the canonical spelling of a set of scopes")
    return scopes


def unreadable(session_id: UUID | None, column: str) -> BackendError:
    """The error for a row that cannot be read, naming the session and the column."""
    subject = "a session" if session_id is None else f"session {session_id}"
    return BackendError(f"{subject}: the stored row cannot be read ({column})")


def record_from(session_id: UUID, row: Row) -> Record:
    """The record of a row without its id. On the path of every validation: the core looks at
    the types of the fields, and only what is decoded here is checked here.

    Raises `BackendError` naming the id and the column.
    """
    user_id, method, scopes, *rest = row
    try:
        fields = (session_id, user_id, method, decode_scopes(scopes), *rest)
    except ValueError:
        raise unreadable(session_id, "scopes") from None
    return _new_record(Record, fields)


def record_from_bytes(session_id: UUID, row: Row) -> Record:
    """The same of a row whose text comes undecoded."""
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


def is_id(value: object) -> TypeGuard[bytes | UUID]:
    """A session id as a driver gives it: itself, or its 16 bytes."""
    return isinstance(value, UUID) or (isinstance(value, bytes) and len(value) == ID_SIZE)


def id_from(value: object) -> UUID:
    """A session id. Raises `BackendError` if it is none."""
    if not is_id(value):
        raise unreadable(None, "id")
    if isinstance(value, bytes):
        return UUID(bytes=value)
    # asyncpg's is a class of its own, and the core takes no substitutes.
    return value if type(value) is UUID else UUID(int=value.int)


def values_of(record: Record, session_id: object) -> tuple[object, ...]:
    """A record as the parameters of an INSERT, in the order of the columns, with its id as
    the store takes it."""
    return (session_id, record.user_id, record.method, encode_scopes(record.scopes), *record[4:])


def values_of_changes(changes: Changes) -> dict[str, object]:
    """Changes as the values of an UPDATE, named as `statements.py` names them."""
    values: dict[str, object] = {f"new_{name}": value for name, value in changes.items()}
    if "scopes" in changes:
        values["new_scopes"] = encode_scopes(changes["scopes"])
    return values
