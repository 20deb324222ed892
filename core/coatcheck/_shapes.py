"""What a value of unknown type is, said so that type checkers follow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard

from ._secret import Secret

# The built-in types first: an abstract one takes microseconds to say yes.


def is_mapping(value: object) -> TypeGuard[Mapping[Any, Any]]:
    """Anything with keys and values."""
    return isinstance(value, dict | Mapping)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """A list, as JSON and backends have it."""
    return isinstance(value, list)


def is_collection(value: object) -> TypeGuard[Iterable[Any]]:
    """Several values, and not one that happens to be iterable, like a string."""
    return isinstance(value, frozenset | set | list | tuple) or (
        isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping | Secret)
    )
