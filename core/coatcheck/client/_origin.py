"""The one origin that a token is for (RFC 6454: scheme, host and port)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address
from typing import NamedTuple

import httpx2

from .._errors import ConfigError

_LAST_PORT = 65_535
_PORTS = {"http": 80, "https": 443}
_LOOPBACK = IPv4Network("127.0.0.0/8"), IPv6Address("::1")


class Origin(NamedTuple):
    """Scheme and host in lower case, the host in its ASCII form, the port always there."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"


def origin_of(url: httpx2.URL) -> Origin | None:
    """Where a request to `url` goes; `None` if that is not over HTTP."""
    if url.scheme not in _PORTS:
        return None
    host = url.raw_host.decode("ascii")
    address = _address(host)
    port = _PORTS[url.scheme] if url.port is None else url.port
    return Origin(url.scheme, host if address is None else str(address), port)


def read_origin(given: object) -> Origin:
    """The origin that a user names, such as `https://api.example`, or a `ConfigError`.

    The message does not show what was given, in which a password may stand.
    """
    text = str(given) if isinstance(given, str | httpx2.URL) else ""
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL:
        url = httpx2.URL()
    origin = origin_of(url)
    if origin is None or not origin.host or "%" in origin.host or origin.port > _LAST_PORT:
        raise ConfigError("origin must be a URL such as https://api.example")
    # Of the text, since a URL as it is parsed no longer shows an empty query or a `/..`.
    rest = text.partition("://")[2]
    if rest.partition("/")[2] or not {"@", "?", "#"}.isdisjoint(rest):
        raise ConfigError(
            "origin must be a scheme, a host and a port alone, such as https://api.example: "
            "without user, path, query and fragment"
        )
    if origin.scheme == "http":
        _refuse_open_http(origin)
    return origin


def _refuse_open_http(origin: Origin) -> None:
    if not _is_loopback(origin.host):
        raise ConfigError(
            "origin must be https; http, which anybody on the way can read, is for localhost, "
            "127.0.0.0/8 and [::1] only"
        )
    if origin.port == _PORTS["http"]:
        # The one redirect to elsewhere at which httpx2 leaves Authorization on the request.
        raise ConfigError(
            "origin must not be http on port 80, from where httpx2 carries a token along to "
            "https on port 443; use another port, or https"
        )


def _is_loopback(host: str) -> bool:
    address = _address(host)
    if isinstance(address, IPv4Address):
        return address in _LOOPBACK[0]
    return host == "localhost" or address == _LOOPBACK[1]


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
