"""What a value of unknown type is, said so that type checkers follow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard

from ._secret import Secret


def is_mapping(value: object) -> TypeGuard[Mapping[Any, Any]]:
    """Anything with keys and values."""
    return isinstance(value, Mapping)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """A list, as JSON and backends have it."""
    return isinstance(value, list)


def is_collection(value: object) -> TypeGuard[Iterable[Any]]:
    """Several values, and not one that happens to be iterable, like a string."""
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping | Secret)
