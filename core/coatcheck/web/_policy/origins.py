"""Proof of origin: whether a page of this very service sent the request.

A browser sends a cookie with whatever any page asks of it; `SameSite` holds back some of it,
and nothing of what comes from a neighbour under the same site. What a page cannot forge are
`Sec-Fetch-Site` (W3C Fetch Metadata) and `Origin` (RFC 6454, and the Fetch standard).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from urllib.parse import urlsplit

from ..._errors import ConfigError
from .requests import RequestHead

_HOST = re.compile(r"[a-z0-9.\-]+|[0-9a-f:.]+")
"""A name, which browsers spell in ASCII (IDNA), or an address."""
_DEFAULT_PORTS = {"http": 80, "https": 443}


def is_proven(head: RequestHead, trusted: Collection[str], *, secure: bool) -> bool:
    """Whether the request is safe, or was sent by a page of ours or of a trusted origin.

    :param trusted: other origins, as a browser spells them.
    :param secure: whether ours is https; then a plain http page of the same host is not ours.
    """
    if head.is_safe:
        return True
    origins = head.fields("origin")
    if len(origins) == 1 and origins[0] in trusted:
        return True
    sites = head.fields("sec-fetch-site")
    if sites:
        # "none" is what the user did without a page, such as sending a form once more.
        return len(sites) == 1 and sites[0] in {"same-origin", "none"}
    return len(origins) == 1 and _is_ours(origins[0], head.field("host"), secure)


def _is_ours(origin: str, host: str, secure: bool) -> bool:
    """Whether the origin, in the spelling of browsers, names the host that was asked. Behind a
    proxy that ends TLS nobody here knows the scheme, so that a cookie which only https sends must
    do for it."""
    scheme = origin.partition(":")[0]
    if origin != _spelt(f"{scheme}://{host}"):
        return False
    return scheme == "https" or not secure or is_loopback(urlsplit(origin).hostname or "")


def checked_origin(given: object) -> str:
    """`given` if it is an origin in the spelling of browsers, which is how it is compared."""
    if isinstance(given, str) and given.isascii() and given == _spelt(given):
        return given
    raise ConfigError(
        "trusted_origins must be origins as browsers spell them, such as "
        '"https://app.example": lower case, without a path, without a default port'
    )


def _spelt(url: str) -> str | None:
    """The origin of a URL: scheme, host, and a port that is not the default one."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not _HOST.fullmatch(parts.hostname or ""):
        return None
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    shown = "" if port in {None, _DEFAULT_PORTS[parts.scheme]} else f":{port}"
    return f"{parts.scheme}://{host}{shown}"


def is_loopback(host: str) -> bool:
    """Whether a browser takes this host as safe without TLS: it is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
