"""The field rules: what a value must be before any backend sees it.

Each function gives the value in the form that is stored, or raises `InvalidInput`
naming the field, and never the value. The same value gets the same verdict in
every store, because no store is asked.
"""

from __future__ import annotations

import json
import re
import unicodedata
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import TypeAlias
from uuid import UUID

from ._errors import InvalidInput
from ._shapes import is_collection, is_list, is_mapping
from ._times import Milliseconds, instant_to_ms, span_to_ms

MAX_TEXT = 255
MAX_SCOPES = 100
MAX_METADATA_BYTES = 8 * 1024
MAX_METADATA_LEVELS = 32
MAX_SPAN = timedelta(days=365_250)
MIN_INACTIVITY_TIMEOUT = timedelta(seconds=1)
END_OF_TIME = instant_to_ms(datetime(9000, 1, 1, tzinfo=UTC))
MAX_PAGE = 1000
MAX_BATCH = 100_000

_LEAST_INT, _MOST_INT = -(2**63), 2**63 - 1
_ESCAPED_NUL = "\\u0000"
_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,255}")

Json: TypeAlias = dict[str, "Json"] | list["Json"] | str | int | float | bool | None


def text(field: str, value: object) -> str:
    """A user id or method: 1 to 255 characters, no control character, kept as it is."""
    if not isinstance(value, str):
        raise InvalidInput(f"{field} must be a str, not {_kind(value)}")
    if not 1 <= len(value) <= MAX_TEXT:
        raise InvalidInput(f"{field} must have 1 to {MAX_TEXT} characters, not {len(value)}")
    if not value.isprintable() and any(unicodedata.category(c) in {"Cc", "Cs"} for c in value):
        raise InvalidInput(f"{field} must hold no control character and no lone surrogate")
    return str.__str__(value)


def scope(field: str, value: object) -> str:
    """One scope token (RFC 6749, section 3.3): printable ASCII without space, `"` and `\\`."""
    if not isinstance(value, str):
        raise InvalidInput(f"{field} must be a str, not {_kind(value)}")
    if _SCOPE_TOKEN.fullmatch(value) is None:
        raise InvalidInput(
            f"{field} must be a scope token (RFC 6749): 1 to {MAX_TEXT} printable ASCII "
            "characters without blanks, double quotes and backslashes"
        )
    return str.__str__(value)


def scopes(value: object) -> frozenset[str]:
    """A collection of at most 100 different scopes; a bare string is not one."""
    if not is_collection(value):
        raise InvalidInput(f"scopes must be a collection of str, not {_kind(value)}")
    given: set[str] = set()
    for item in value:
        given.add(scope("scopes", item))
        if len(given) > MAX_SCOPES:
            raise InvalidInput(f"scopes must be at most {MAX_SCOPES}")
    return frozenset(given)


def metadata(value: object) -> str:
    """Compact JSON text of an object: at most 8 KiB of UTF-8 and 32 levels, integers of
    64 bits, finite floats, no NUL and no lone surrogate."""
    if not is_mapping(value):
        raise InvalidInput(f"metadata must be a mapping, not {_kind(value)}")
    encoded = _encode(_json(value, 1, [MAX_METADATA_BYTES]))
    try:
        size = len(encoded.encode())
    except UnicodeEncodeError:
        size = -1
    # A NUL is written as an escape; of a backslash and the same letters the strings tell.
    if size < 0 or (_ESCAPED_NUL in encoded and _holds_nul(json.loads(encoded))):
        raise InvalidInput("metadata must hold no NUL and no lone surrogate")
    if size > MAX_METADATA_BYTES:
        raise InvalidInput(f"metadata must be at most {MAX_METADATA_BYTES} bytes of JSON in UTF-8")
    return encoded


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def _json(value: object, level: int, room: list[int]) -> Json:
    """A copy of JSON types alone. Every value takes a byte of `room` at least, so that one
    of millions, or one that holds itself, is refused before it is copied."""
    room[0] -= 1
    if room[0] < 0:
        raise InvalidInput(f"metadata must be at most {MAX_METADATA_BYTES} bytes of JSON in UTF-8")
    if isinstance(value, str):
        return str.__str__(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not _LEAST_INT <= value <= _MOST_INT:
            raise InvalidInput("metadata must hold integers of 64 bits only")
        return int(value)
    if isinstance(value, float):
        if not isfinite(value):
            raise InvalidInput("metadata must hold finite numbers only")
        return float(value)
    if level > MAX_METADATA_LEVELS:
        raise InvalidInput(f"metadata must be nested at most {MAX_METADATA_LEVELS} levels deep")
    if is_list(value):
        return [_json(item, level + 1, room) for item in value]
    if is_mapping(value):
        return {_key(key): _json(item, level + 1, room) for key, item in value.items()}
    raise InvalidInput(
        "metadata must hold JSON values only (dict, list, str, int, float, bool, None), "
        f"not {_kind(value)}"
    )


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise InvalidInput(f"metadata must have keys of type str, not {_kind(key)}")
    return str.__str__(key)


def _holds_nul(value: Json) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any("\0" in key or _holds_nul(item) for key, item in value.items())
    return isinstance(value, list) and any(map(_holds_nul, value))


def instant_after(field: str, value: object, now: Milliseconds) -> Milliseconds:
    """An end: aware, rounded down to the millisecond, then after `now` and before 9000."""
    if not isinstance(value, datetime):
        raise InvalidInput(f"{field} must be a datetime, not {_kind(value)}")
    if value.utcoffset() is None:
        raise InvalidInput(f"{field} must be an aware datetime, such as datetime.now(UTC)")
    instant = instant_to_ms(value)
    if instant <= now:
        raise InvalidInput(f"{field} must be after now")
    if instant >= END_OF_TIME:
        raise InvalidInput(f"{field} must be before the year 9000")
    return instant


def span(field: str, value: object, *, least: timedelta = timedelta(milliseconds=1)) -> int:
    """Milliseconds of a span, rounded down, of at least `least` and at most 1,000 years."""
    if not isinstance(value, timedelta):
        raise InvalidInput(f"{field} must be a timedelta, not {_kind(value)}")
    if value > MAX_SPAN:
        raise InvalidInput(f"{field} must be at most 1,000 years")
    milliseconds = span_to_ms(value)
    if milliseconds < span_to_ms(least):
        raise InvalidInput(f"{field} must be at least {least / timedelta(seconds=1):g} s")
    return milliseconds


def inactivity_timeout(value: object) -> Milliseconds | None:
    """Milliseconds, at least 1 s; `None` for a session that may rest for ever."""
    if value is None:
        return None
    return span("inactivity_timeout", value, least=MIN_INACTIVITY_TIMEOUT)


def session_id(field: str, value: object) -> UUID:
    """A `uuid.UUID`, and no string: that has five spellings."""
    if not isinstance(value, UUID):
        raise InvalidInput(f"{field} must be a uuid.UUID, not {_kind(value)}")
    return value


def session_ids(field: str, value: object) -> frozenset[UUID]:
    """A collection of ids."""
    if not is_collection(value):
        raise InvalidInput(f"{field} must be a collection of uuid.UUID, not {_kind(value)}")
    return frozenset(session_id(field, item) for item in value)


def flag(field: str, value: object) -> bool:
    """`True` or `False`, and nothing that only looks like it."""
    if not isinstance(value, bool):
        raise InvalidInput(f"{field} must be True or False, not {_kind(value)}")
    return value


def size(field: str, value: object, least: int, most: int) -> int:
    """An integer of `least` to `most`."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidInput(f"{field} must be an int, not {_kind(value)}")
    if not least <= value <= most:
        raise InvalidInput(f"{field} must be {least} to {most:,}")
    return int(value)


def _kind(value: object) -> str:
    return "None" if value is None else type(value).__name__
