"""Sessions for any ASGI application: a middleware, and `auth(scope)` within it."""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, cast
from urllib.parse import quote

from .._errors import BackendError
from . import AsyncRequestAuth, Refused, RequestHead, WebPolicy
from ._policy.requests import PATH_SAFE

if TYPE_CHECKING:
    from .._managers.asynchronous import AsyncSessionManager

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_KEY = "coatcheck.auth"
_HANDSHAKE_REFUSED = "websocket.http.response"
_POLICY_VIOLATION = 1008  # RFC 6455, section 7.4.1

logger = logging.getLogger("coatcheck")


def auth(scope: Scope) -> AsyncRequestAuth:
    """The sessions of this request. Nothing is asked of the store before they are used."""
    found = scope.get(_KEY)
    if found is None:
        raise RuntimeError("coatcheck's SessionMiddleware is not around this application")
    return cast(AsyncRequestAuth, found)


class SessionMiddleware:
    """Gives `app` its sessions, sends the answer of whatever it refuses, and starts and closes
    the manager with it.

    :param sessions: the manager, started or not; this middleware closes it at shutdown.
    :param policy: by default bearer tokens, and a cookie as `SessionCookie()` sets it.
    """

    def __init__(
        self, app: ASGIApp, sessions: AsyncSessionManager, policy: WebPolicy | None = None
    ) -> None:
        self._app = app
        self._sessions = sessions
        self._policy = policy or WebPolicy()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] == "lifespan":
            await _Lifespan(self._app, self._sessions, receive, send).run(scope)
        elif scope["type"] in {"http", "websocket"}:
            given = AsyncRequestAuth(self._sessions, self._policy, _head(scope))
            scope[_KEY] = given
            await self._answer(scope, given, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _answer(
        self, scope: Scope, given: AsyncRequestAuth, receive: Receive, send: Send
    ) -> None:
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            if message["type"] in _HEADED:
                started = True
                message = _with_owed(message, given)
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Refused as refused:
            if started:
                raise
            await _refuse(scope, refused, sending)
        except BackendError as error:
            if started:
                raise
            await _refuse(scope, given.exchange.unavailable(error), sending)


_HEADED = {"http.response.start", "websocket.accept", f"{_HANDSHAKE_REFUSED}.start"}


def _head(scope: Scope) -> RequestHead:
    headers: Sequence[tuple[bytes, bytes]] = scope["headers"]

    def fields(name: str) -> list[str]:
        wanted = _encoded(name)
        return [value.decode("latin-1") for key, value in headers if key == wanted]

    is_handshake = scope["type"] == "websocket"
    method = "GET" if is_handshake else scope["method"]
    return RequestHead(method, _target(scope), fields, is_handshake)


_encoded = functools.cache(str.encode)  # of the few names that the policy asks for


def _target(scope: Scope) -> str:
    raw: bytes | None = scope.get("raw_path")
    path = raw.decode("latin-1") if raw else quote(scope["path"], safe=PATH_SAFE)
    query = scope.get("query_string", b"").decode("latin-1")
    return f"{path}?{query}" if query else path


def _with_owed(message: Message, given: AsyncRequestAuth) -> Message:
    if not given.exchange.is_personal:
        return message
    headers: list[tuple[bytes, bytes]] = list(message.get("headers", ()))
    vary = [value.decode("latin-1") for name, value in headers if name.lower() == b"vary"]
    owed = given.exchange.owed(", ".join(vary))
    if message["type"] == "websocket.accept":
        owed = [(name, value) for name, value in owed if name == "Set-Cookie"]
    kept = [pair for pair in headers if pair[0].lower() not in _REPLACED]
    kept += [(_encoded(name).lower(), value.encode("latin-1")) for name, value in owed]
    return {**message, "headers": kept}


_REPLACED = {b"cache-control", b"vary"}


async def _refuse(scope: Scope, refused: Refused, send: Send) -> None:
    body = refused.body
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in refused.headers]
    headers.append((b"content-length", str(len(body)).encode()))
    prefix = "http.response"
    if scope["type"] == "websocket":
        if _HANDSHAKE_REFUSED not in scope.get("extensions", {}):
            # Before the handshake is accepted a server answers this with 403.
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
            return
        prefix = _HANDSHAKE_REFUSED
    await send({"type": f"{prefix}.start", "status": refused.status, "headers": headers})
    body = b"" if scope.get("method") == "HEAD" else body
    await send({"type": f"{prefix}.body", "body": body})


class _Lifespan:
    """The manager's life around the application's, which need not have one of its own."""

    def __init__(
        self, app: ASGIApp, sessions: AsyncSessionManager, receive: Receive, send: Send
    ) -> None:
        self._app = app
        self._sessions = sessions
        self._receive = receive
        self._send = send
        self._unread: list[Message] = []
        self._has_answered = False

    async def run(self, scope: Scope) -> None:
        self._unread.append(await self._receive())
        try:
            await self._sessions.start()
        except Exception as error:
            await self._send({"type": "lifespan.startup.failed", "message": _told(error)})
            raise
        try:
            await self._inside(scope)
        finally:
            await self._sessions.close()

    async def _inside(self, scope: Scope) -> None:
        try:
            await self._app(scope, self._receiving, self._sending)
        except Exception as error:
            if self._has_answered:
                raise
            logger.info("the application takes no part in ASGI's lifespan (%r)", error)
        if not self._has_answered:
            await self._sending({"type": "lifespan.startup.complete"})
            await self._receive()
            await self._sending({"type": "lifespan.shutdown.complete"})

    async def _receiving(self) -> Message:
        return self._unread.pop() if self._unread else await self._receive()

    async def _sending(self, message: Message) -> None:
        self._has_answered = True
        if message["type"] in _SHUT_DOWN:  # after it the server waits for nothing
            await self._sessions.close()
        await self._send(message)


_SHUT_DOWN = {"lifespan.shutdown.complete", "lifespan.shutdown.failed"}


def _told(error: Exception) -> str:
    return f"the session store is not ready: {type(error).__name__}: {error}"
