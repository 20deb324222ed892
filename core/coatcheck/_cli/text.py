"""Values from outside as text that is safe to print: escaped, and without tokens."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from .._values import Session

# Long enough for a token of the shortest secret, too long for any word of ours.
_TOKEN = re.compile(r"\b([a-z][a-z0-9]{1,15})_[A-Za-z0-9_-]{48,}")
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)
_SECOND = timedelta(seconds=1)


def visible(text: str) -> str:
    """`text` with everything escaped that a terminal would obey, hide or reorder.

    That is what Unicode calls not printable: C0 and C1 controls, and with them every
    escape sequence, bidirectional overrides, zero-width characters, other line ends.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def without_tokens(text: str) -> str:
    """`text` with the body of anything that looks like a token left out."""
    return _TOKEN.sub(r"\1_…", text)


def json_text(document: Any) -> str:
    """JSON in ASCII on one line, so that no value in it can reach a terminal raw."""
    # The one control character that JSON does not ask to be escaped.
    return json.dumps(document, ensure_ascii=True).replace("\x7f", "\\u007f")


def session_document(session: Session) -> dict[str, Any]:
    """A session as JSON has it: every public field, and its state as of now."""
    return {
        "id": str(session.id),
        "user_id": session.user_id,
        "method": session.method,
        "scopes": sorted(session.scopes),
        "metadata": dict(session.metadata),
        "created_at": timestamp(session.created_at),
        "last_used_at": timestamp(session.last_used_at),
        "expires_at": timestamp(session.expires_at),
        "inactivity_timeout": duration(session.inactivity_timeout),
        "valid_until": timestamp(session.valid_until),
        "state": state_of(session, datetime.now(UTC)),
        "pepper_id": session.pepper_id,
    }


def state_of(session: Session, now: datetime) -> str:
    """`live`, `expired` or `inactive`, by the rules of `validate`."""
    if session.expires_at is not None and session.expires_at <= now:
        return "expired"
    if session.valid_until is not None and session.valid_until <= now:
        return "inactive"
    return "live"


def ending(session: Session, now: datetime) -> str:
    """How long a session still is live, in its largest unit, or how it ended."""
    state = state_of(session, now)
    if state != "live":
        return state
    if session.valid_until is None:
        return "never"
    left = session.valid_until - now
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if left >= unit:
            return f"in {left // unit:,} {name}"
    return f"in {left // _SECOND} s"


def timestamp(instant: datetime | None) -> str | None:
    """ISO 8601 in UTC with milliseconds, such as `2030-01-31T12:00:00.000Z`."""
    if instant is None:
        return None
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(instant: datetime | None, otherwise: str) -> str:
    """An instant for people, to the second."""
    if instant is None:
        return otherwise
    return instant.astimezone(UTC).isoformat(" ", "seconds").replace("+00:00", "Z")


def duration(span: timedelta | None) -> str | None:
    """ISO 8601, such as `P7D` or `PT1H30M`, which the options for spans take back."""
    if span is None:
        return None
    days, rest = divmod(span, _DAY)
    hours, rest = divmod(rest, _HOUR)
    minutes, rest = divmod(rest, _MINUTE)
    clock = "".join(f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M")) if number)
    if rest:
        clock += f"{rest / _SECOND:.3f}".rstrip("0").rstrip(".") + "S"
    if not days and not clock:
        return "PT0S"
    return f"P{f'{days}D' if days else ''}{f'T{clock}' if clock else ''}"


def plural(number: int, noun: str) -> str:
    """`1 session`, `2,000 sessions`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
