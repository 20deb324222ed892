"""Browsers that ask for a page: to the login page, and back to where they wanted to go."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from .requests import RequestHead

_MAX_TARGET = 2048
"""Characters. Longer ones are left out, since browsers and proxies have limits of their own."""

# One slash, then no other and no backslash, which a browser takes for one; after that only what
# a URL may hold, so nothing that it would drop (tabs, line ends) or that ends a header.
_LOCAL = re.compile(r"/(?![/\\])[!-\[\]-~]*")


def is_navigation(head: RequestHead) -> bool:
    """Whether a person waits for a page, rather than a programme for an answer.

    Browsers say so by `Sec-Fetch-Mode`; those that do not ask for HTML by name.
    """
    if head.is_handshake:
        return False
    mode = head.field("sec-fetch-mode")
    if mode:
        return mode == "navigate"
    return head.is_safe and "text/html" in head.field("accept").lower()


def login_target(login_path: str, parameter: str, head: RequestHead) -> str:
    """The login page with the wanted one as a parameter, if one can go back to it."""
    if head.method not in {"GET", "HEAD"} or local_path(head.target, default="") == "":
        return login_path
    joint = "&" if "?" in login_path else "?"
    return f"{login_path}{joint}{urlencode({parameter: head.target})}"


def local_path(given: object, *, default: str = "/") -> str:
    """`given` if a browser that is sent there stays on this service, otherwise `default`.

    For the `next` of a login page, which anybody can put into a link: an absolute path of at
    most 2,048 characters, in ASCII, with no way out: no scheme, no host, no backslash, and
    nothing that a browser drops before it reads on.
    """
    if isinstance(given, str) and len(given) <= _MAX_TARGET and _LOCAL.fullmatch(given):
        return given
    return default
