"""What the policy reads of a request, in whatever framework it came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

# RFC 9110, section 9.2.1. TRACE is safe too, and nobody serves it.
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

PATH_SAFE = "/:@!$&'()*+,;=~-._"
"""What a path may hold as it is (RFC 3986, section 3.3); for adapters that must encode one."""


class RequestHead(NamedTuple):
    """The head of one request, or of the handshake of a WebSocket."""

    method: str
    target: str
    """Path and query as they were sent, percent-encoded."""
    fields: Callable[[str], Sequence[str]]
    """The values of the header fields of a name, which is given in lower case; in their order."""
    is_handshake: bool = False
    """Of a WebSocket, which any site may open with the cookies of ours."""

    @property
    def is_safe(self) -> bool:
        """Whether it asks for nothing but an answer."""
        return self.method in _SAFE_METHODS and not self.is_handshake

    def field(self, name: str) -> str:
        """The value of a field that is there once; empty if it is absent or repeated."""
        values = self.fields(name)
        return values[0] if len(values) == 1 else ""
