"""The answers to whoever is not let in: RFC 9110, RFC 6750 and RFC 9457."""

from __future__ import annotations

import json
from collections.abc import Collection
from enum import StrEnum
from http import HTTPStatus

from ..._errors import CoatcheckError


class RefusalReason(StrEnum):
    """Why a request was refused, in the words of RFC 6750 where it has one."""

    INVALID_REQUEST = "invalid_request"
    """400: credentials that are misspelt, or two at once."""
    NO_CREDENTIALS = "no_credentials"
    """401: nobody is signed in."""
    INVALID_TOKEN = "invalid_token"  # noqa: S105 - a reason, not a secret
    """401: the token is wrong, expired or revoked; the client is not told which."""
    LOGIN_REQUIRED = "login_required"
    """303: a browser that asks for a page is sent to the login page."""
    INSUFFICIENT_SCOPE = "insufficient_scope"
    """403: the session lacks a scope."""
    CROSS_ORIGIN = "cross_origin"
    """403: a cookie, or the wish for one, from a page of another origin."""
    STORE_UNAVAILABLE = "store_unavailable"
    """503: the store cannot say who this is. That signs nobody in and nobody out."""


_R = RefusalReason
_STATUS = {
    _R.INVALID_REQUEST: HTTPStatus.BAD_REQUEST,
    _R.NO_CREDENTIALS: HTTPStatus.UNAUTHORIZED,
    _R.INVALID_TOKEN: HTTPStatus.UNAUTHORIZED,
    _R.LOGIN_REQUIRED: HTTPStatus.SEE_OTHER,
    _R.INSUFFICIENT_SCOPE: HTTPStatus.FORBIDDEN,
    _R.CROSS_ORIGIN: HTTPStatus.FORBIDDEN,
    _R.STORE_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}
_DETAIL = {
    _R.INVALID_REQUEST: "Present one token, either as a bearer token or in the cookie.",
    _R.NO_CREDENTIALS: "Sign in first.",
    _R.INVALID_TOKEN: "The session has ended, or there never was one. Sign in again.",
    _R.LOGIN_REQUIRED: "Sign in first.",
    _R.INSUFFICIENT_SCOPE: "The session may not do this.",
    _R.CROSS_ORIGIN: "This request came from a page of another origin.",
    _R.STORE_UNAVAILABLE: "Sessions cannot be checked at the moment. Try again.",
}
# RFC 6750, section 3.1: no error code for a request that brought no credentials.
_CHALLENGED = {_R.INVALID_REQUEST, _R.INVALID_TOKEN, _R.INSUFFICIENT_SCOPE}


class Refused(CoatcheckError):  # noqa: N818 - public name, says what happened
    """The request is refused, and this is how to answer it.

    An adapter sends `status`, `headers` and `body` as they are; an application that wants
    a page of its own catches it, keeps `status` and `headers`, and writes another body.
    The `BackendError` behind a 503 is its `__cause__`.
    """

    def __init__(self, reason: RefusalReason, headers: Collection[tuple[str, str]] = ()) -> None:
        super().__init__(f"{_STATUS[reason].value} {reason.value}")
        self.reason = reason
        """Why, for code to tell apart."""
        self.status: int = _STATUS[reason].value
        """The HTTP status code."""
        self.headers: tuple[tuple[str, str], ...] = (*headers, ("Content-Type", _PROBLEM))
        """Header fields of the answer, beside those that every answer about a session has."""

    @property
    def body(self) -> bytes:
        """A problem (RFC 9457) in JSON, with the reason as `error`."""
        problem = {
            "title": _STATUS[self.reason].phrase,
            "status": self.status,
            "detail": _DETAIL[self.reason],
            "error": self.reason.value,
        }
        return json.dumps(problem).encode()


_PROBLEM = "application/problem+json"


class Challenges:
    """`WWW-Authenticate` (RFC 9110, section 11.6.1; RFC 6750, section 3) as one service says it."""

    def __init__(self, scheme: str, realm: str | None) -> None:
        self._scheme = scheme
        self._realm = realm

    def refused(self, reason: RefusalReason, scopes: Collection[str] = ()) -> Refused:
        """The refusal with its challenge; `scopes` are those that the request needs."""
        params = [] if self._realm is None else [("realm", self._realm)]
        if reason in _CHALLENGED:
            params.append(("error", reason.value))
        if scopes:
            params.append(("scope", " ".join(sorted(scopes))))
        said = ", ".join(f'{name}="{value}"' for name, value in params)
        return Refused(reason, [("WWW-Authenticate", f"{self._scheme} {said}".rstrip())])
