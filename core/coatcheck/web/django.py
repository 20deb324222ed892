"""Sessions for Django: a middleware, `request.session_info`, and `auth(request)`.

    MIDDLEWARE = [..., "coatcheck.web.django.SessionMiddleware"]
    COATCHECK_MANAGER = "project.sessions.manager"   # by default SessionManager.from_env()
    COATCHECK_POLICY = WebPolicy(login_path="/login")  # or the path of one

Django's own sessions and `request.user` are left alone.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

try:
    from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
    from django.conf import settings
    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase
    from django.utils.functional import SimpleLazyObject
    from django.utils.module_loading import import_string
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "coatcheck.web.django needs Django: pip install 'coatcheck[django]'"
    ) from error

from .._errors import BackendError, ConfigError
from .._managers.sync import SessionManager
from .._values import Session
from . import Refused, RequestAuth, RequestHead, WebPolicy
from ._environ import fields_of

View = TypeVar("View", bound=Callable[..., Any])

_ATTRIBUTE = "_coatcheck_auth"


def auth(request: HttpRequest) -> RequestAuth:
    """The sessions of this request. Nothing is asked of the store before they are used.

    Its calls wait for the store: in an asynchronous view, by `sync_to_async`.
    """
    found: RequestAuth | None = getattr(request, _ATTRIBUTE, None)
    if found is None:
        raise RuntimeError("add coatcheck.web.django.SessionMiddleware to MIDDLEWARE")
    return found


class SessionMiddleware:
    """Gives each request `session_info`, the `Session` of whoever is asking or nothing, and sends
    the answer of what the policy refuses. Under WSGI and ASGI.

    `request.session_info` is validated when it is first looked at, and falsy if nobody is signed
    in. In an asynchronous view take `await request.asession_info()`.

    :raises ConfigError: COATCHECK_MANAGER or COATCHECK_POLICY cannot be used.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._get_response = get_response
        self._sessions = _configured_manager()
        self._policy = _configured_policy()
        # Before Python 3.12 `inspect` does not know what Django has marked.
        self._is_async = iscoroutinefunction(get_response)  # pyright: ignore[reportDeprecated]
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """As Django has it."""
        found = RequestAuth(self._sessions, self._policy, _head(request))
        setattr(request, _ATTRIBUTE, found)
        request.session_info = SimpleLazyObject(found.session)  # type: ignore[attr-defined]
        request.asession_info = functools.partial(_read_in_a_thread, found)  # type: ignore[attr-defined]
        if self._is_async:
            return self._awaited(request, found)
        return _with_owed(self._get_response(request), found)

    async def _awaited(self, request: HttpRequest, found: RequestAuth) -> HttpResponseBase:
        return _with_owed(await self._get_response(request), found)

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponseBase | None:
        """What a view raised: the answer to it, if it is ours."""
        if isinstance(exception, BackendError):
            exception = auth(request).exchange.unavailable(exception)
        if not isinstance(exception, Refused):
            return None
        return HttpResponse(
            exception.body, status=exception.status, headers=dict(exception.headers)
        )


_read_in_a_thread = sync_to_async(RequestAuth.session, thread_sensitive=False)


def require_scopes(*scopes: str) -> Callable[[View], View]:
    """Let a view, asynchronous or not, be reached only with all of these scopes; with none named,
    by whoever is signed in. For a method of a class, by Django's `method_decorator`.

    :raises Refused: in the view's place.
    """

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            auth(request).require(*scopes)
            return view(request, *args, **kwargs)

        @functools.wraps(view)
        async def awaited(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            await sync_to_async(auth(request).require, thread_sensitive=False)(*scopes)
            return await view(request, *args, **kwargs)

        chosen = awaited if inspect.iscoroutinefunction(view) else guarded
        return cast(View, chosen)

    return decorate


def current_session(request: HttpRequest) -> Session:
    """The session of whoever is asking; `Refused` without one."""
    return auth(request).require()


def _configured_manager() -> SessionManager:
    found: Any = _loaded(getattr(settings, "COATCHECK_MANAGER", None))
    if found is None:
        return _manager_of_the_environment()
    if not isinstance(found, SessionManager):
        raise ConfigError("COATCHECK_MANAGER must be a SessionManager, or the path of one")
    return found


@functools.cache
def _manager_of_the_environment() -> SessionManager:
    """One in a process, however many handlers Django makes."""
    return SessionManager.from_env()


def _configured_policy() -> WebPolicy:
    found: Any = _loaded(getattr(settings, "COATCHECK_POLICY", None))
    if found is None:
        return WebPolicy()
    if not isinstance(found, WebPolicy):
        raise ConfigError("COATCHECK_POLICY must be a WebPolicy, or the path of one")
    return found


def _loaded(given: Any) -> Any:
    return import_string(given) if isinstance(given, str) else given


def _head(request: HttpRequest) -> RequestHead:
    return RequestHead(request.method or "", request.get_full_path(), fields_of(request.META))


def _with_owed(response: HttpResponseBase, found: RequestAuth) -> HttpResponseBase:
    for name, value in found.exchange.owed(response.headers.get("Vary")):
        response.headers[name] = value
    return response
