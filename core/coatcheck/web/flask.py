"""Sessions for Flask: `add_sessions(app, …)`, then `auth()` in a view."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

try:
    from flask import Flask, Response, current_app, request
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "coatcheck.web.flask needs Flask: pip install 'coatcheck[flask]'"
    ) from error

from .._errors import BackendError
from .._values import Session
from . import Refused, RequestAuth, WebPolicy
from ._environ import fields_of
from ._policy.requests import PATH_SAFE, RequestHead

if TYPE_CHECKING:
    from .._managers.sync import SessionManager

View = TypeVar("View", bound=Callable[..., Any])

_EXTENSION = "coatcheck"
# On the request, since `g` outlives it where somebody pushed the application's context before.
_ATTRIBUTE = "_coatcheck_auth"


def add_sessions(app: Flask, sessions: SessionManager, policy: WebPolicy | None = None) -> None:
    """Give the application its sessions, and the answers to what they refuse.

    :param sessions: the manager, which threads and forked workers share; close it yourself.
    :param policy: by default bearer tokens, and a cookie as `SessionCookie()` sets it.
    """
    app.extensions[_EXTENSION] = (sessions, policy or WebPolicy())
    app.register_error_handler(Refused, _refuse)
    app.register_error_handler(BackendError, _unavailable)
    app.after_request(_add_owed)


def auth() -> RequestAuth:
    """The sessions of this request. Nothing is asked of the store before they are used."""
    found: RequestAuth | None = getattr(request, _ATTRIBUTE, None)
    if found is None:
        try:
            sessions, policy = current_app.extensions[_EXTENSION]
        except KeyError:
            raise RuntimeError("call coatcheck.web.flask.add_sessions(app, …) first") from None
        found = RequestAuth(sessions, policy, _head())
        setattr(request, _ATTRIBUTE, found)
    return found


def current_session() -> Session:
    """The session of whoever is asking; `Refused` without one."""
    return auth().require()


def require_scopes(*scopes: str) -> Callable[[View], View]:
    """Let a view be reached only with all of these scopes; with none named, by whoever is
    signed in. Stands under `@app.route`.

    :raises Refused: in the view's place.
    """

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            auth().require(*scopes)
            return current_app.ensure_sync(view)(*args, **kwargs)

        return guarded  # type: ignore[return-value]  # pyright: ignore[reportReturnType]

    return decorate


def _head() -> RequestHead:
    path = quote(f"{request.script_root}{request.path}", safe=PATH_SAFE)
    query = request.query_string.decode("latin-1")
    target = f"{path}?{query}" if query else path
    return RequestHead(request.method, target, fields_of(request.environ))


def _refuse(refused: Refused) -> Response:
    return Response(refused.body, refused.status, list(refused.headers))


def _unavailable(error: BackendError) -> Response:
    return _refuse(auth().exchange.unavailable(error))


def _add_owed(response: Response) -> Response:
    found: RequestAuth | None = getattr(request, _ATTRIBUTE, None)
    if found is not None:
        for name, value in found.exchange.owed(response.headers.get("Vary")):
            if name == "Set-Cookie":
                response.headers.add(name, value)
            else:
                response.headers.set(name, value)
    return response
