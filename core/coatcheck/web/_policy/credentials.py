"""Where a token may come from: a bearer header, a cookie, never both and never the query."""

from __future__ import annotations

import re
from typing import NamedTuple

from ..._secret import Secret
from .requests import RequestHead

# RFC 6750, section 2.1, where it is called b64token.
_BEARER = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
# RFC 6265, section 4.1.1: cookie-octet. Two fields that a server joined by a comma are none.
_COOKIE = re.compile(r"[!#-+\--:<-\[\]-~]+")


class Presented(NamedTuple):
    """The one token that a request brought."""

    token: Secret[str]
    by_cookie: bool


class Misspelt(Exception):  # noqa: N818 - never leaves the policy
    """The credentials are not as RFC 6750 or RFC 6265 has them, or there are two."""


def presented(head: RequestHead, *, bearer: bool, cookie: str | None) -> Presented | None:
    """The token, whatever it is worth; `None` if there is none. Raises `Misspelt`.

    :param bearer: whether the `Authorization` field is looked at.
    :param cookie: the name of the cookie; `None` if none is looked at.
    """
    bearers = _bearers(head) if bearer else []
    cookies = [] if cookie is None else _cookies(head, cookie)
    # Raised here, where no frame holds what was sent.
    if bearers is None or cookies is None or len(bearers) + len(cookies) > 1:
        raise Misspelt
    if cookies:
        return Presented(cookies[0], by_cookie=True)
    return Presented(bearers[0], by_cookie=False) if bearers else None


def _bearers(head: RequestHead) -> list[Secret[str]] | None:
    """The tokens of the `Authorization` field; `None` if it is misspelt."""
    values = head.fields("authorization")
    if not values:
        return []
    scheme, _, token = values[0].strip(" \t").partition(" ")
    if len(values) > 1:
        return None
    # Another scheme is somebody else's, such as a proxy's in front of the service.
    if scheme.lower() != "bearer":
        return []
    token = token.lstrip(" ")
    return [Secret(token)] if _BEARER.fullmatch(token) else None


def _cookies(head: RequestHead, name: str) -> list[Secret[str]] | None:
    """The values of the cookies of that name, but for the empty one of a cookie that was
    deleted; `None` if one is misspelt."""
    found: list[Secret[str]] = []
    for field in head.fields("cookie"):
        for pair in field.split(";"):
            key, _, value = pair.partition("=")
            value = value.strip(" \t")
            if key.strip(" \t") != name or not value:
                continue
            if not _COOKIE.fullmatch(value):
                return None
            found.append(Secret(value))
    return found
