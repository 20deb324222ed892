"""Backends that do not give back what they were given: law 1.

Each is one change away from the memory backend.
"""

from __future__ import annotations

import functools
import json
import unicodedata
from contextlib import suppress
from types import MappingProxyType
from typing import Any
from uuid import UUID

from coatcheck import Record, Where
from coatcheck_backends.memory import MemoryBackend

from .declaring import broken_core, broken_store


@broken_store({1}, "user ids are normalised (NFC)")
class Normalising(MemoryBackend):
    def insert(self, record: Record) -> None:
        super().insert(record._replace(user_id=unicodedata.normalize("NFC", record.user_id)))


@broken_store({1, 5, 7, 15}, "blanks at the end are cut off")
class Trimming(MemoryBackend):
    def insert(self, record: Record) -> None:
        super().insert(record._replace(user_id=record.user_id.rstrip()))


@broken_store({1, 5, 7}, "look-ups ignore case")
class CaseInsensitive(MemoryBackend):
    def _matching(self, where: Where) -> list[Record]:
        user = where.user_id
        found = super()._matching(where._replace(user_id=None))
        return [r for r in found if user is None or r.user_id.casefold() == user.casefold()]


@broken_store({1, 2, 4, 6, 7, 9, 15}, "empty scopes become one empty scope")
class EmptyScopes(MemoryBackend):
    def insert(self, record: Record) -> None:
        super().insert(record._replace(scopes=frozenset(" ".join(record.scopes).split(" "))))


@broken_store({1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 18}, "no scopes become null")
class NullScopes(MemoryBackend):
    def insert(self, record: Record) -> None:
        super().insert(record._replace(scopes=record.scopes or None))  # type: ignore[arg-type]


@broken_store({1, 6}, "scopes beyond the 64th are lost")
class FewScopes(MemoryBackend):
    def insert(self, record: Record) -> None:
        super().insert(record._replace(scopes=frozenset(sorted(record.scopes)[:64])))


@broken_store({1}, "long texts are cut")
class Cutting(MemoryBackend):
    def insert(self, record: Record) -> None:
        super().insert(record._replace(method=record.method[:254]))


def _through_floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _through_floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_through_floats(item) for item in value]
    whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if whole else value


@broken_store({1, 11}, "integers in metadata become floats")
class Floating(MemoryBackend):
    def insert(self, record: Record) -> None:
        metadata = json.dumps(_through_floats(json.loads(record.metadata)))
        super().insert(record._replace(metadata=metadata))


def _nested(document: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in document.items():
        head, dot, tail = key.partition(".")
        if dot:
            with suppress(TypeError, ValueError):
                result[head] = {**dict(result.get(head) or {}), tail: value}
        else:
            result[key] = value
    return result


@broken_store({1, 11}, "dots in metadata keys become nesting")
class Nesting(MemoryBackend):
    def insert(self, record: Record) -> None:
        metadata = json.dumps(_nested(json.loads(record.metadata)))
        super().insert(record._replace(metadata=metadata))


@broken_store({1, 11}, "metadata with keys out of order")
class Sorting(MemoryBackend):
    def insert(self, record: Record) -> None:
        metadata = json.dumps(json.loads(record.metadata), sort_keys=True)
        super().insert(record._replace(metadata=metadata))


@broken_store({1, 2, 4, 7, 15}, "times are kept to the second")
class Seconds(MemoryBackend):
    def insert(self, record: Record) -> None:
        super().insert(record._replace(created_at=record.created_at // 1000 * 1000))


@broken_store({1, 2, 3, 4, 5, 7, 8, 11, 13, 14, 15}, "no expiry is stored as 0")
class NoExpiryIsZero(MemoryBackend):
    def insert(self, record: Record) -> None:
        super().insert(record._replace(expires_at=record.expires_at or 0))


@broken_store({1, 4, 6, 7, 8}, "an update writes no None")
class NoneIsIgnored(MemoryBackend):
    def update(self, session_id: UUID, changes: Any, where: Where) -> Record | None:
        given = {name: value for name, value in changes.items() if value}
        return super().update(session_id, given, where)  # type: ignore[arg-type]


@functools.cache
def _decoded_once(text: str) -> Any:
    return json.loads(text)


broken_core({1, 11}, "sessions share their metadata", "coatcheck._values.Session.metadata")(
    property(lambda session: MappingProxyType(_decoded_once(session._facts[4])))
)
