"""What a service decides about its sessions on the web, checked when it starts."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta

from ..._errors import ConfigError
from ..._shapes import is_collection
from .cookies import SessionCookie
from .navigation import local_path
from .origins import checked_origin
from .refusals import Challenges

# What needs no escape in a quoted-string (RFC 9110, section 5.6.4).
_REALM = re.compile(r"[ !#-\[\]-~]{1,128}")
_PARAMETER = re.compile(r"[A-Za-z0-9_\-]{1,64}")


@dataclass(frozen=True, kw_only=True, slots=True)
class WebPolicy:
    """Where tokens come from, and how a service answers. Raises `ConfigError`, naming the field.

    The defaults suit a service that browsers and programmes use; most need only `login_path`.
    """

    bearer: bool = True
    """Whether `Authorization: Bearer` is taken (RFC 6750), for programmes."""
    cookie: SessionCookie | None = field(default_factory=SessionCookie)
    """How browsers carry the token; `None` for a service that no browser uses."""
    login_path: str | None = None
    """Where a browser that asks for a page is sent if nobody is signed in, such as `"/login"`;
    `None`: it gets the 401 that a programme gets."""
    next_parameter: str = "next"
    """The parameter of the login page that names the wanted one; read it with `local_path`."""
    trusted_origins: Collection[str] = ()
    """Other origins whose pages may act for the user, such as `"https://app.example"`; also this
    service's own, if a proxy in front of it changes the `Host`."""
    realm: str | None = None
    """Shown in `WWW-Authenticate` (RFC 9110, section 11.5)."""
    retry_after: timedelta = timedelta(seconds=1)
    """What `Retry-After` says when the store cannot answer; whole seconds, at least one."""
    challenges: Challenges = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.bearer, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigError("bearer must be True or False")
        if self.cookie is not None and not isinstance(self.cookie, SessionCookie):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigError("cookie must be a SessionCookie or None")
        if not self.bearer and self.cookie is None:
            raise ConfigError("bearer and cookie: take tokens from at least one of them")
        if self.login_path is not None and not local_path(self.login_path, default=""):
            raise ConfigError('login_path must be a path of this service, such as "/login"')
        if not _fits(_PARAMETER, self.next_parameter):
            raise ConfigError("next_parameter must be letters, digits, - and _, at most 64")
        if self.realm is not None and not _fits(_REALM, self.realm):
            raise ConfigError("realm must be printable ASCII without quotes and backslashes")
        if not isinstance(self.retry_after, timedelta) or self.retry_after < timedelta(seconds=1):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigError("retry_after must be a timedelta of at least 1 s")
        object.__setattr__(self, "trusted_origins", _origins(self.trusted_origins))
        # A 401 must name a scheme (RFC 9110, section 15.5.2), and none is registered for cookies.
        scheme = "Bearer" if self.bearer else "Cookie"
        object.__setattr__(self, "challenges", Challenges(scheme, self.realm))

    @property
    def cookie_name(self) -> str | None:
        """The name of the cookie, if one is looked at."""
        return None if self.cookie is None else self.cookie.name

    @property
    def is_secure(self) -> bool:
        """Whether the cookie travels by https alone."""
        return self.cookie is not None and self.cookie.secure


def _fits(pattern: re.Pattern[str], given: object) -> bool:
    return isinstance(given, str) and pattern.fullmatch(given) is not None


def _origins(given: object) -> frozenset[str]:
    if not is_collection(given):
        raise ConfigError("trusted_origins must be a collection of origins")
    return frozenset(map(checked_origin, given))
