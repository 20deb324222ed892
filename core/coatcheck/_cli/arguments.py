"""The options that several commands share, and how their values are read.

An error names the option and never echoes the value: what was given by mistake
may be a token.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import typer

from .._errors import InvalidInput

AsJson = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
Everyone = Annotated[bool, typer.Option("--everyone", help="All sessions there are; no filter.")]

User = Annotated[str | None, typer.Option("--user", metavar="USER", help="Of this user.")]
Method = Annotated[
    str | None, typer.Option("--method", metavar="METHOD", help="Signed in by this method.")
]
Scope = Annotated[
    str | None, typer.Option("--scope", metavar="SCOPE", help="That have this scope.")
]
PepperId = Annotated[
    str | None,
    typer.Option("--pepper-id", metavar="ID", help="Hashed under this pepper (`pepper status`)."),
]
Live = Annotated[
    bool | None, typer.Option("--live/--ended", help="Only live ones, or only ended ones.")
]

Scopes = Annotated[
    list[str] | None,
    typer.Option("--scope", metavar="SCOPE", help="A scope; give the option once for each."),
]
Metadata = Annotated[
    str | None, typer.Option("--metadata", metavar="JSON", help="A JSON object of at most 8 KiB.")
]
ExpiresAt = Annotated[
    str | None,
    typer.Option(
        "--expires-at",
        metavar="TIME",
        help="The absolute end, ISO 8601 with a time zone (2030-01-31T12:00:00Z), or `none`.",
    ),
]
InactivityTimeout = Annotated[
    str | None,
    typer.Option(
        "--inactivity-timeout",
        metavar="SPAN",
        help="How long it may rest: ISO 8601 (PT1H), seconds, or `none`.",
    ),
]


def given(**values: Any) -> dict[str, Any]:
    """The values of the options that were given. An empty string was given: it is no
    filter left out, and the core refuses it."""
    return {name: value for name, value in values.items() if value is not None}


def session_id(text: str) -> UUID:
    """A session id in its one canonical spelling."""
    try:
        found = UUID(text)
    except ValueError:
        found = None
    if found is None or str(found) != text.lower():
        raise InvalidInput(
            "a session id is written like 01980000-0000-7000-8000-000000000000; "
            "a token is none, and belongs on the standard input of `coatcheck validate`"
        )
    return found


def session_ids(texts: Collection[str] | None) -> list[UUID]:
    """Session ids, each once, in the order given."""
    return list(dict.fromkeys(session_id(text) for text in texts or ()))


def fields(
    metadata: str | None, expires_at: str | None, inactivity_timeout: str | None
) -> dict[str, Any]:
    """The fields of a session that were given, by the names that `issue` and `update` use."""
    named: dict[str, Any] = {}
    if metadata is not None:
        named["metadata"] = _json_object(metadata)
    if expires_at is not None:
        named["expires_at"] = _instant("--expires-at", expires_at)
    if inactivity_timeout is not None:
        named["inactivity_timeout"] = span("--inactivity-timeout", inactivity_timeout)
    return named


def span(option: str, text: str) -> timedelta | None:
    """ISO 8601, seconds, or `none`: as in the settings."""
    from pydantic import TypeAdapter, ValidationError

    from .._settings import Span

    adapter: TypeAdapter[timedelta | None] = TypeAdapter(Span)
    try:
        return adapter.validate_python(text)
    except ValidationError:
        raise InvalidInput(
            f"{option} must be a span in ISO 8601 such as P30D or PT1H, seconds, or none"
        ) from None


def _instant(option: str, text: str) -> datetime | None:
    if text.strip().lower() == "none":
        return None
    try:
        instant = datetime.fromisoformat(text.strip())
    except ValueError:
        instant = None
    if instant is None or instant.utcoffset() is None:
        raise InvalidInput(
            f"{option} must be a time in ISO 8601 with a time zone, such as 2030-01-31T12:00:00Z"
        )
    return instant


def _json_object(text: str) -> Mapping[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise InvalidInput("--metadata must be a JSON object")
    return document  # pyright: ignore[reportUnknownVariableType]
