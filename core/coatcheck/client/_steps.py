"""What becomes of one request, as steps that a synchronous or an asynchronous client takes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator
from functools import partial
from http import HTTPStatus
from typing import Any, NamedTuple, TypeAlias

import httpx2

from .._secret import Secret
from ._challenges import says_invalid_token
from ._holding import Found, Holding
from ._origin import Origin, origin_of


class Send(NamedTuple):
    """Send the request, redirects and all; gives the response."""

    request: httpx2.Request


class Ask(NamedTuple):
    """Call what asks the token store, which may block; gives its answer."""

    call: Callable[[], Any]


class Read(NamedTuple):
    """Read the response to its end, so that its connection is free."""

    response: httpx2.Response


class Tell(NamedTuple):
    """Call `on_signed_out`."""


Step: TypeAlias = Send | Ask | Read | Tell
Steps: TypeAlias = Generator[Step, Any, None]


def steps_of(request: httpx2.Request, origin: Origin, holding: Holding) -> Steps:
    """Send the request with the token if it is for the origin, and see what the answer says."""
    if origin_of(request.url) != origin or "Authorization" in request.headers:
        yield Send(request)
        return
    found: Found = yield Ask(holding.load)
    if found.lost is not None and holding.claim(found.lost):
        yield Tell()
        found = yield Ask(holding.load)  # the user may have signed in there
    if found.token is None:
        yield Send(request)
        return
    sent = _Sent(request, found.token)
    try:
        response: httpx2.Response = yield Send(sent.request)
        is_refused = sent.arrived_at(origin, response) and _is_invalid_token(response)
        sent.hide_token(response)
    finally:
        sent.withdraw()
    if is_refused and (yield Ask(partial(holding.forget, found.token))):
        # Whoever is told may want the connection, and a pool may have no other.
        yield Read(response)
        if holding.claim(found.token):
            yield Tell()


def _is_invalid_token(response: httpx2.Response) -> bool:
    return response.status_code == HTTPStatus.UNAUTHORIZED and says_invalid_token(
        response.headers.get_list("WWW-Authenticate")
    )


class _Sent:
    """A copy of the caller's request, which has the token for as long as it is under way.

    So the caller may send the same request again, or the one that a redirect asks for, and it
    never brings back a token that has gone; and a response that is kept or pickled has none.
    """

    def __init__(self, request: httpx2.Request, token: Secret[str]) -> None:
        self._given = request
        self._header = Secret(f"Bearer {token.reveal()}")
        self.request = copy.copy(request)
        self.request.stream = request.stream  # neither of these is copied
        self.request.extensions = dict(request.extensions)
        self.request.headers = httpx2.Headers(request.headers)
        self.request.headers["Authorization"] = self._header.reveal()

    def arrived_at(self, origin: Origin, response: httpx2.Response) -> bool:
        """Whether the request that was answered had the token, and was for the origin.

        After a redirect it is another request. httpx2 takes the token off where that leaves the
        origin, and does not put it on again where a further one leads back.
        """
        answered = response.request
        return (
            origin_of(answered.url) == origin
            and answered.headers.get("Authorization") == self._header.reveal()
        )

    def hide_token(self, response: httpx2.Response) -> None:
        """Take the token off the requests that the response, and those before it, remember."""
        for one in (*response.history, response):
            if one.request is self.request:
                one.request = self._given
            for request in (one.request, one.next_request):
                if request is not None and request is not self._given:
                    request.headers.pop("Authorization", None)

    def withdraw(self) -> None:
        """Take the token off, if no response came."""
        self.request.headers.pop("Authorization", None)
