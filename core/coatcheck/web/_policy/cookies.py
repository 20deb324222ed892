"""The cookie that carries a token: its settings, checked, and the field that sets or deletes it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from ..._errors import ConfigError

SameSite = Literal["Lax", "Strict", "None"]

_MAX_AGE_SECONDS = 400 * 24 * 3600
"""More is cut to this by browsers (RFC 6265bis, section 5.5)."""

# RFC 9110, section 5.6.2, which RFC 6265 takes the names of cookies from.
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}")
# RFC 6265, section 4.1.1: any character but controls and the semicolon; here in ASCII.
_PATH = re.compile(r"/[ -:<-~]{0,255}")
_DOMAIN = re.compile(r"(?!-)[a-z0-9\-]{1,63}(\.(?!-)[a-z0-9\-]{1,63})+")


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionCookie:
    """How the cookie is set. It is always `HttpOnly`: no script ever needs it.

    A combination that browsers would drop in silence, or that would weaken the cookie, is a
    `ConfigError` here, when the service starts (RFC 6265bis, sections 4.1.2 and 5.7).
    """

    name: str = "__Host-session"
    """With the prefix `__Host-` browsers take it only from this very host over https, so that
    no neighbouring host can plant one."""
    secure: bool = True
    """Sent over https only. Browsers take `http://localhost` for safe too."""
    same_site: SameSite = "Lax"
    """`Lax`: sent when a link elsewhere leads here. `Strict`: not even then. `None`: always."""
    path: str = "/"
    domain: str | None = None
    """`None`: this host alone. `"example.com"`: all hosts under it, too."""
    persistent: bool = True
    """Kept until the session ends, for at most 400 days. Otherwise until the browser closes."""

    def __post_init__(self) -> None:
        for name in ("secure", "persistent"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"cookie {name} must be True or False")
        if self.same_site not in {"Lax", "Strict", "None"}:
            raise ConfigError('cookie same_site must be "Lax", "Strict" or "None", spelt like that')
        self._check_text("name", _NAME, "letters, digits and -._~!#$%&'*+^`|, at most 128")
        self._check_text("path", _PATH, "an absolute path of ASCII without a semicolon")
        if self.domain is not None:
            self._check_text("domain", _DOMAIN, 'a host name such as "example.com", lower case')
        self._check_prefix()
        if self.same_site == "None" and not self.secure:
            raise ConfigError(
                'cookie same_site="None" needs secure=True: browsers drop it otherwise'
            )

    def _check_text(self, field: str, allowed: re.Pattern[str], words: str) -> None:
        given = getattr(self, field)
        if not isinstance(given, str) or not allowed.fullmatch(given):
            raise ConfigError(f"cookie {field} must be {words}")

    def _check_prefix(self) -> None:
        # Browsers compare the prefixes without regard to case.
        prefixed = self.name.lower()
        if prefixed.startswith(("__host-", "__secure-", "__http-")) and not self.secure:
            raise ConfigError(
                f"cookie name {self.name!r} needs secure=True: browsers drop it otherwise; "
                "without https give it a name without a prefix"
            )
        if prefixed.startswith("__host-") and (self.path != "/" or self.domain is not None):
            raise ConfigError(
                f'cookie name {self.name!r} needs path="/" and no domain: browsers drop it '
                "otherwise; for a path or a domain take the prefix __Secure-"
            )

    def field(self, token: str | None, seconds_left: int | None = None) -> str:
        """The value of a `Set-Cookie` field.

        :param token: what it carries; `None` deletes the cookie.
        :param seconds_left: until the session ends; `None` if it never does.
        """
        if token is None:
            age: int | None = 0
        elif self.persistent:
            least = _MAX_AGE_SECONDS if seconds_left is None else seconds_left
            age = max(0, min(least, _MAX_AGE_SECONDS))
        else:
            age = None
        parts = [f"{self.name}={token or ''}", f"Path={self.path}"]
        if self.domain is not None:
            parts.append(f"Domain={self.domain}")
        if age is not None:
            parts.append(f"Max-Age={age}")
        parts.append("HttpOnly")
        if self.secure:
            parts.append("Secure")
        parts.append(f"SameSite={self.same_site}")
        return "; ".join(parts)
