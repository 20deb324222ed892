"""Records to documents and back. One that cannot be read is named, and no value of it shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias, cast
from uuid import UUID

from bson.codec_options import CodecOptions, DatetimeConversion
from bson.int64 import Int64

from coatcheck import BackendError, Changes, Record, SessionRef

Document: TypeAlias = dict[str, Any]

CODEC: CodecOptions[Document] = CodecOptions(
    uuid_representation=4,  # standard: subtype 4, in the order of the id's bytes
    datetime_conversion=DatetimeConversion.DATETIME_MS,  # any date can be decoded
)
LENIENT: CodecOptions[Document] = CODEC.with_options(unicode_decode_error_handler="surrogateescape")
"""Reads text that is not UTF-8 as well, so that the field can be found and the session deleted."""

FIELDS = (*Record._fields[1:], "inactive_at")
_TEXTS = ("user_id", "method", "metadata", "key_hash", "pepper_id")

# What `Record._make` does, without the call.
_new_record: Callable[[type[Record], tuple[object, ...]], Record] = tuple.__new__  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def document_of(record: Record) -> Document:
    """What is stored of a record: its fields, and when it ends if it is not used."""
    timeout = record.inactivity_timeout
    return {
        "_id": record.id,
        "user_id": record.user_id,
        "method": record.method,
        "scopes": sorted(record.scopes),
        "metadata": record.metadata,
        "created_at": Int64(record.created_at),
        "last_used_at": Int64(record.last_used_at),
        "expires_at": _long(record.expires_at),
        "inactivity_timeout": _long(timeout),
        "key_hash": record.key_hash,
        "pepper_id": record.pepper_id,
        "inactive_at": None if timeout is None else Int64(record.last_used_at + timeout),
    }


def values_of(changes: Changes) -> Document:
    """The new values of the fields that change."""
    values: Document = dict(changes)
    if "scopes" in changes:
        values["scopes"] = sorted(changes["scopes"])
    for name in ("expires_at", "inactivity_timeout"):
        if name in values:
            values[name] = _long(values[name])
    return values


def _long(value: int | None) -> Int64 | None:
    """Always 64 bits: the indexes on instants are of that type alone."""
    return None if value is None else Int64(value)


def unreadable(session_id: object, field: str) -> BackendError:
    """The error for a document that cannot be read, naming the session and the field."""
    subject = f"session {session_id}" if type(session_id) is UUID else "a session"
    return BackendError(f"{subject}: the stored document cannot be read ({field})")


def record_of(document: Mapping[str, Any]) -> Record:
    """The record of a document. On the path of every validation: the core looks at the types
    of the texts, and only what is converted here is checked here.

    Raises `BackendError` naming the id and the field.
    """
    get = document.get
    created_at, last_used_at = get("created_at"), get("last_used_at")
    expires_at, timeout, inactive_at = (
        get("expires_at", _MISSING),
        get("inactivity_timeout", _MISSING),
        get("inactive_at", _MISSING),
    )
    # bson gives a 64-bit integer, and no other, as an Int64.
    if (
        type(session_id := get("_id")) is not UUID
        or type(created_at) is not Int64
        or type(last_used_at) is not Int64
        or (expires_at is not None and type(expires_at) is not Int64)
        or (timeout is not None and type(timeout) is not Int64)
        or type(inactive_at) is not type(timeout)
        or (timeout is not None and inactive_at != last_used_at + timeout)
        or (scopes := _set_of(get("scopes"))) is None
    ):
        raise unreadable(document.get("_id"), _odd_field(document))
    record = (
        session_id,
        get("user_id"),
        get("method"),
        scopes,
        get("metadata"),
        int(created_at),
        int(last_used_at),
        None if expires_at is None else int(expires_at),
        None if timeout is None else int(timeout),
        get("key_hash"),
        get("pepper_id"),
    )
    return _new_record(Record, record)


_MISSING = object()


def record_of_lenient(document: Mapping[str, Any]) -> Record:
    """The same of a document that was read with `LENIENT`."""
    session_id = document.get("_id")
    for name in (*_TEXTS, "scopes"):
        value = document.get(name)
        parts = cast("list[object]", value) if isinstance(value, list) else [value]
        if not all(_is_unicode(part) for part in parts):
            raise unreadable(session_id, name)
    return record_of(document)


def reference_of(document: Mapping[str, Any]) -> SessionRef:
    """What is left to say of one that was deleted, read with `LENIENT`. Never fails: what
    names a session is not worth keeping it for."""
    return SessionRef(
        document["_id"], text_of(document.get("user_id")), text_of(document.get("method"))
    )


def text_of(value: object) -> str:
    """Text that was read with `LENIENT`, fit to be shown; nothing for what is no text."""
    if not isinstance(value, str):
        return ""
    return value.encode(errors="surrogateescape").decode(errors="replace")


def _set_of(scopes: object) -> frozenset[str] | None:
    return _set_of_sorted(tuple(scopes)) if type(scopes) is list and _are_str(scopes) else None  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def _are_str(values: list[object]) -> bool:
    return all(type(value) is str for value in values)


@lru_cache(maxsize=512)
def _set_of_sorted(scopes: tuple[str, ...]) -> frozenset[str] | None:
    """Only what `document_of` writes: in order, each once."""
    unique = frozenset(scopes)
    return unique if scopes == tuple(sorted(unique)) else None


def _odd_field(document: Mapping[str, Any]) -> str:
    """Names the first field that is missing, or is not as it was written."""
    if type(document.get("_id")) is not UUID:
        return "id"
    missing = [name for name in FIELDS if name not in document]
    if missing:
        return missing[0]
    for name in ("created_at", "last_used_at", "expires_at", "inactivity_timeout"):
        value = document[name]
        if type(value) is not Int64 and (
            value is not None or name in ("created_at", "last_used_at")
        ):
            return name
    return "scopes" if _set_of(document["scopes"]) is None else "inactive_at"


def _is_unicode(value: object) -> bool:
    """Unless it is text that was not UTF-8."""
    try:
        if isinstance(value, str):
            value.encode()
    except UnicodeEncodeError:
        return False
    return True
