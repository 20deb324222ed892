"""`SessionAuth`, which puts the token into requests and signs out when the server says so."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import closing
from inspect import isawaitable, iscoroutine, iscoroutinefunction
from typing import NoReturn, TypeVar

import httpx2

from .._errors import ConfigError
from .._secret import Secret, sealed
from ._holding import Holding
from ._origin import read_origin
from ._steps import Ask, Read, Send, Step, Steps, Tell, steps_of
from ._stores import MemoryTokenStore, TokenStore
from ._tokens import bearer_token

T = TypeVar("T")


class SessionAuth(httpx2.Auth):
    """The `auth` of an `httpx2.Client` or `httpx2.AsyncClient` that acts for a signed-in user.

    Requests to `origin`, and no others, carry the stored token as `Authorization: Bearer`
    (RFC 6750), along redirects within the origin too, and never along one that leaves it, even
    if a further one leads back. A request for which the caller has set an `Authorization`
    of their own is sent as it is, and its answer signs nobody out. Requests
    and responses do not keep the token: it is on a request only while that is under way.

    When the origin answers such a request with 401 and the error code `invalid_token`, the
    token has expired or was revoked. It is removed from the store, unless the user has signed
    in anew meanwhile, and `on_signed_out` is called, once for that token, however many
    requests are under way. It is also called, before a request is sent, when a token that
    was there has gone from the store, because another process signed out. Any other answer
    and a failing network leave the token where it is.

    `on_signed_out` is called by the client's call that found out, on its thread or event loop,
    with the token gone and no lock held: it may use the client and this object. What it raises
    that call raises, in place of a response.

    One object may serve any number of clients, threads and tasks, on asyncio and on trio.

    :param origin: scheme, host and port of the server, such as `https://api.example`. http is
        for `localhost`, 127.0.0.0/8 and `[::1]` only, and not on port 80.
    :param store: where the token is kept; a new `MemoryTokenStore` if left out. Under an
        asynchronous client any other is called in a thread.
    :param on_signed_out: called without arguments. Under an asynchronous client it may be a
        coroutine function.
    :raises ConfigError: an argument cannot be used as given, or a coroutine function meets a
        synchronous client, which is seen at the first request. What the store raises reaches
        the caller of the client.
    """

    def __init__(
        self,
        origin: str | httpx2.URL,
        store: TokenStore | None = None,
        on_signed_out: Callable[[], object] | None = None,
    ) -> None:
        self._origin = read_origin(origin)
        self._holding = Holding(MemoryTokenStore() if store is None else _usable(store))
        if on_signed_out is not None and not callable(on_signed_out):  # pyright: ignore[reportUnnecessaryComparison]
            raise ConfigError("on_signed_out must be callable")
        self._on_signed_out = on_signed_out

    def sign_in(self, token: str | Secret[str]) -> None:
        """Keep the token that the server gave, in place of any other.

        :raises InvalidInput: it could not be a bearer token (RFC 6750, section 2.1).
        """
        token = sealed(token)  # out of sight before anything else
        self._holding.save(bearer_token(token))

    def sign_out(self) -> None:
        """Remove the token from the store. Asks no server, and does not call `on_signed_out`.

        The session goes on at the server: have that revoke it first.
        """
        self._holding.drop()

    def signed_in(self) -> bool:
        """Whether there is a token. Only the server knows whether it is still good."""
        return self._holding.load().token is not None

    async def sign_in_async(self, token: str | Secret[str]) -> None:
        """`sign_in` for an event loop, which it does not block."""
        token = sealed(token)  # out of sight before anything else
        kept = bearer_token(token)
        await self._away(lambda: self._holding.save(kept))

    async def sign_out_async(self) -> None:
        """`sign_out` for an event loop, which it does not block."""
        await self._away(self._holding.drop)

    async def signed_in_async(self) -> bool:
        """`signed_in` for an event loop, which it does not block."""
        return (await self._away(self._holding.load)).token is not None

    def sync_auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        """For `httpx2.Client`, which calls it."""
        if _is_coroutine_function(self._on_signed_out):
            raise ConfigError("on_signed_out must not be a coroutine function under a Client")
        with closing(steps_of(request, self._origin, self._holding)) as steps:
            step = _next(steps)
            while step is not None:
                if isinstance(step, Send):
                    response = yield step.request
                    step = _next(steps, response)
                else:
                    step = _next(steps, self._take(step))

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """For `httpx2.AsyncClient`, which calls it."""
        with closing(steps_of(request, self._origin, self._holding)) as steps:
            step = _next(steps)
            while step is not None:
                if isinstance(step, Send):
                    response = yield step.request
                    step = _next(steps, response)
                else:
                    step = _next(steps, await self._take_async(step))

    def __repr__(self) -> str:
        return f"SessionAuth({str(self._origin)!r})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a SessionAuth cannot be pickled or copied")

    def _take(self, step: Ask | Read | Tell) -> object:
        if isinstance(step, Ask):
            return step.call()
        if isinstance(step, Read):
            return step.response.read()
        told = None if self._on_signed_out is None else self._on_signed_out()
        if isawaitable(told):
            if iscoroutine(told):
                told.close()
            raise ConfigError("on_signed_out must not give an awaitable under a Client")
        return None

    async def _take_async(self, step: Ask | Read | Tell) -> object:
        if isinstance(step, Ask):
            return await self._away(step.call)
        if isinstance(step, Read):
            return await step.response.aread()
        told = None if self._on_signed_out is None else self._on_signed_out()
        return await told if isawaitable(told) else None

    async def _away(self, call: Callable[[], T]) -> T:
        """Call what asks the store, in a thread unless the store cannot block."""
        if isinstance(self._holding.store, MemoryTokenStore):
            return call()
        from anyio.to_thread import run_sync

        return await run_sync(call)


def _next(steps: Steps, answer: object = None) -> Step | None:
    try:
        return steps.send(answer)
    except StopIteration:
        return None


def _usable(store: TokenStore) -> TokenStore:
    if not isinstance(store, TokenStore):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigError("store must have the calls load, save and forget of a TokenStore")
    if any(map(_is_coroutine_function, (store.load, store.save, store.forget))):
        raise ConfigError("store must not have coroutine functions; it is called in a thread")
    return store


def _is_coroutine_function(call: object) -> bool:
    return iscoroutinefunction(call) or iscoroutinefunction(getattr(call, "__call__", None))  # noqa: B004 - a callable object may be one, too
