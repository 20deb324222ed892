"""Sessions for FastAPI: dependencies, which are in the OpenAPI document too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

try:
    from fastapi import Depends, FastAPI, Security
    from fastapi.openapi.models import APIKey, APIKeyIn, HTTPBearer
    from fastapi.requests import HTTPConnection
    from fastapi.security import SecurityScopes
    from fastapi.security.base import SecurityBase
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "coatcheck.web.fastapi needs FastAPI: pip install 'coatcheck[fastapi]'"
    ) from error

from .._values import Session
from . import AsyncRequestAuth, SessionCookie, WebPolicy
from . import starlette as _starlette

if TYPE_CHECKING:
    from .._managers.asynchronous import AsyncSessionManager

_BEARER, _COOKIE = "SessionToken", "SessionCookie"


class _ByCookie(SecurityBase):
    """The second way to present a token. Only the document needs it."""

    def __init__(self) -> None:
        self.model = APIKey.model_validate({"in": APIKeyIn.cookie, "name": SessionCookie().name})
        self.scheme_name = _COOKIE

    async def __call__(self) -> None:
        """Nothing is read here."""


class _Required(SecurityBase):
    """The session of whoever is asking, with the scopes that the dependency names."""

    def __init__(self) -> None:
        self.model = HTTPBearer()
        self.scheme_name = _BEARER

    async def __call__(
        self,
        connection: HTTPConnection,
        security_scopes: SecurityScopes,
        _: Annotated[None, Depends(_ByCookie())],
    ) -> Session:
        return await _starlette.auth(connection).require(*security_scopes.scopes)


async def _optional(connection: HTTPConnection) -> Session | None:
    return await _starlette.auth(connection).session()


async def _auth(connection: HTTPConnection) -> AsyncRequestAuth:
    return _starlette.auth(connection)


_required = _Required()

CurrentSession = Annotated[Session, Security(_required)]
"""The session of whoever is asking. Nobody else reaches the endpoint: 401, or 303 to the login
page."""

OptionalSession = Annotated[Session | None, Depends(_optional)]
"""The session of whoever is asking, or `None`."""

Auth = Annotated[AsyncRequestAuth, Depends(_auth)]
"""The sessions of this request, to sign in and out."""


def require_scopes(*scopes: str) -> Any:
    """A dependency that gives the session if it has all of these scopes, and is 403 otherwise.

    As an argument, `session: Annotated[Session, require_scopes("notes:read")]`; for a route or
    a router, `dependencies=[require_scopes("admin")]`.
    """
    return Security(_required, scopes=scopes)


def add_sessions(
    app: FastAPI, sessions: AsyncSessionManager, policy: WebPolicy | None = None
) -> None:
    """Put `SessionMiddleware` around the application, which starts and closes the manager too,
    and have the OpenAPI document say what the policy takes.

    :param sessions: the manager, started or not.
    :param policy: by default bearer tokens, and a cookie as `SessionCookie()` sets it.
    """
    _starlette.add_sessions(app, sessions, policy)
    _describe(app, policy or WebPolicy())


def _describe(app: FastAPI, policy: WebPolicy) -> None:
    document = app.openapi

    def openapi() -> dict[str, Any]:
        described = document()
        schemes = described.get("components", {}).get("securitySchemes", {})
        if policy.cookie is None:
            _leave_out(described, schemes, _COOKIE)
        elif _COOKIE in schemes:
            schemes[_COOKIE]["name"] = policy.cookie.name
        if not policy.bearer:
            _leave_out(described, schemes, _BEARER)
        return described

    app.openapi = openapi  # type: ignore[method-assign]


def _leave_out(described: dict[str, Any], schemes: dict[str, Any], name: str) -> None:
    schemes.pop(name, None)
    for path in described.get("paths", {}).values():
        for operation in path.values():
            if isinstance(operation, dict) and "security" in operation:
                operation["security"] = [way for way in operation["security"] if name not in way]  # pyright: ignore
