"""Header fields as WSGI has them (PEP 3333), for the adapters of Flask and Django."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any


def fields_of(environ: Mapping[str, Any]) -> Callable[[str], Sequence[str]]:
    """The fields of a request by name. A server joins repeated ones by commas, so that two
    tokens are one that is misspelt."""

    def fields(name: str) -> Sequence[str]:
        value = environ.get("HTTP_" + name.upper().replace("-", "_"))
        return () if value is None else (value,)

    return fields
