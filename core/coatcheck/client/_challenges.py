"""What a server says in `WWW-Authenticate` (RFC 9110, section 11.6.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_QUOTED = r'"(?:[^"\\]|\\.)*+"'
_END = r"(?=[ \t]*+(?:,|\Z))"

_GAP = re.compile(r"[ \t,]*+")
_PARAMETER = re.compile(rf"({_WORD})[ \t]*+=[ \t]*+(?:({_WORD})|({_QUOTED})){_END}")
# Alone, or with a token68, or before its first parameter. A comma ends a parameter and a
# challenge alike, so what follows one is told apart by whether an equals sign comes next.
_SCHEME = re.compile(
    rf"({_WORD})(?:{_END}|[ ]++[A-Za-z0-9._~+/-]++=*+{_END}|[ ]++(?={_WORD}[ \t]*+=))"
)


class Challenge(NamedTuple):
    """One challenge: its scheme and the names of its parameters in lower case."""

    scheme: str
    parameters: dict[str, str]


def challenges(field: str) -> Iterator[Challenge]:
    """The challenges of one field. Reading stops at what can be none."""
    found: Challenge | None = None
    position = _GAP.match(field).end()  # type: ignore[union-attr]  # it matches nothing, too
    while position < len(field):
        parameter = _PARAMETER.match(field, position) if found else None
        scheme = None if parameter else _SCHEME.match(field, position)
        if found and parameter:
            name, token, quoted = parameter.groups()
            # A parameter must not come twice; of one that does, the first counts.
            found.parameters.setdefault(name.lower(), token or _unquoted(quoted))
        elif scheme:
            if found:
                yield found
            found = Challenge(scheme[1].lower(), {})
        else:
            break
        end = (parameter or scheme).end()  # type: ignore[union-attr]
        position = _GAP.match(field, end).end()  # type: ignore[union-attr]
    if found:
        yield found


def says_invalid_token(fields: Iterable[str]) -> bool:
    """Whether a Bearer challenge in any of the fields has the error code `invalid_token`.

    RFC 6750, section 3.1: the token is expired, revoked, malformed or invalid otherwise. A
    challenge without a code says no more than that a token is wanted.
    """
    return any(
        challenge.scheme == "bearer" and challenge.parameters.get("error") == "invalid_token"
        for field in fields
        for challenge in challenges(field)
    )


def _unquoted(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted[1:-1], flags=re.DOTALL)
