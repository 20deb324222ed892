"""Sessions for Starlette: `add_sessions(app, …)`, then `auth(request)` in an endpoint."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

try:
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import HTTPConnection
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "coatcheck.web.starlette needs Starlette: pip install 'coatcheck[starlette]'"
    ) from error

from .._values import Session
from . import AsyncRequestAuth, WebPolicy, asgi

if TYPE_CHECKING:
    from .._managers.asynchronous import AsyncSessionManager

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


def add_sessions(
    app: Starlette, sessions: AsyncSessionManager, policy: WebPolicy | None = None
) -> None:
    """Put `SessionMiddleware` around the application, which starts and closes the manager too.

    :param sessions: the manager, started or not.
    :param policy: by default bearer tokens, and a cookie as `SessionCookie()` sets it.
    """
    app.add_middleware(asgi.SessionMiddleware, sessions=sessions, policy=policy)


def auth(connection: HTTPConnection) -> AsyncRequestAuth:
    """The sessions of this request or WebSocket."""
    return asgi.auth(connection.scope)


async def current_session(connection: HTTPConnection) -> Session:
    """The session of whoever is asking; `Refused` without one."""
    return await auth(connection).require()


def require_scopes(*scopes: str) -> Callable[[Endpoint], Endpoint]:
    """Let an endpoint, asynchronous or not, be reached only with all of these scopes; with none
    named, by whoever is signed in.

    :raises Refused: in the endpoint's place.
    """

    def decorate(endpoint: Endpoint) -> Endpoint:
        @functools.wraps(endpoint)
        async def guarded(*args: Any, **kwargs: Any) -> Any:
            await auth(_connection(args, kwargs)).require(*scopes)
            if inspect.iscoroutinefunction(endpoint):
                return await endpoint(*args, **kwargs)
            return await run_in_threadpool(endpoint, *args, **kwargs)

        return guarded  # type: ignore[return-value]  # pyright: ignore[reportReturnType]

    return decorate


def _connection(args: tuple[Any, ...], kwargs: dict[str, Any]) -> HTTPConnection:
    for each in (*args, *kwargs.values()):
        if isinstance(each, HTTPConnection):
            return cast(HTTPConnection, each)
    raise TypeError("require_scopes decorates endpoints, which take a Request or a WebSocket")
