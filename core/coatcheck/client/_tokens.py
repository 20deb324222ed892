"""What can be a bearer token, said without showing it."""

from __future__ import annotations

import re
from typing import Any

from .._errors import InvalidInput
from .._secret import Secret

MAX_TOKEN = 4096

_B64TOKEN = re.compile(r"[A-Za-z0-9._~+/-]++=*+")


def is_bearer_token(token: Secret[Any]) -> bool:
    """Whether it is the `b64token` of RFC 6750, section 2.1, of at most 4,096 characters."""
    given = token.reveal()
    return (
        isinstance(given, str)
        and len(given) <= MAX_TOKEN
        and _B64TOKEN.fullmatch(given) is not None
    )


def bearer_token(token: Secret[str]) -> Secret[str]:
    """The token, or `InvalidInput`, which does not echo it."""
    if not is_bearer_token(token):
        raise InvalidInput(
            f"token must be a bearer token (RFC 6750): 1 to {MAX_TOKEN:,} ASCII letters, digits "
            "and any of -._~+/, with = at the end only"
        )
    return Secret(str.__str__(token.reveal()))  # of a subclass no more than the text


def is_same(one: Secret[str] | None, other: Secret[str]) -> bool:
    """Whether both hold one token."""
    return one is not None and one.reveal() == other.reveal()
