"""Sessions for FastAPI: dependencies, which are in the OpenAPI document too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

try:
    from fastapi import Depends, FastAPI, Security
    from fastapi.openapi.models import HTTPBearer
    from fastapi.requests import HTTPConnection
    from fastapi.security.base import SecurityBase
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "coatcheck.web.fastapi needs FastAPI: pip install 'coatcheck[fastapi]'"
    ) from error

from .._values import Session
from . import AsyncRequestAuth, WebPolicy
from . import starlette as _starlette

if TYPE_CHECKING:
    from .._managers.asynchronous import AsyncSessionManager

_BEARER, _COOKIE = "SessionToken", "SessionCookie"


class _Required(SecurityBase):
    """The session of whoever is asking, with some scopes.

    One dependency, since FastAPI spends more on each than a validation takes. The document gets
    the second way to present a token from `_describe`.
    """

    def __init__(self, scopes: tuple[str, ...] = ()) -> None:
        self.model = HTTPBearer()
        self.scheme_name = _BEARER
        self._scopes = scopes

    async def __call__(self, connection: HTTPConnection) -> Session:
        return await _starlette.auth(connection).require(*self._scopes)


async def _optional(connection: HTTPConnection) -> Session | None:
    return await _starlette.auth(connection).session()


async def _auth(connection: HTTPConnection) -> AsyncRequestAuth:
    return _starlette.auth(connection)


CurrentSession = Annotated[Session, Security(_Required())]
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
    return Security(_Required(scopes), scopes=scopes)


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
        bearer = schemes.pop(_BEARER, None)
        if bearer is None:  # no endpoint needs a session, or this was done before
            return described
        ways = [_BEARER] if policy.bearer else []
        if policy.bearer:
            schemes[_BEARER] = bearer
        if policy.cookie is not None:
            ways.append(_COOKIE)
            schemes[_COOKIE] = {"type": "apiKey", "in": "cookie", "name": policy.cookie.name}
        for path in described["paths"].values():
            for operation in path.values():
                _name_ways(operation, ways)
        return described

    app.openapi = openapi  # type: ignore[method-assign]


def _name_ways(operation: dict[str, Any], ways: list[str]) -> None:
    """Any of the ways to present a token will do, where the bearer token would."""
    given: list[dict[str, list[str]]] = operation.get("security", [])
    for requirement in given:
        if _BEARER in requirement:
            scopes = requirement[_BEARER]
            others = [each for each in given if _BEARER not in each and _COOKIE not in each]
            operation["security"] = [*({way: scopes} for way in ways), *others]
            return
