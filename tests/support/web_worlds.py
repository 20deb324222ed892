"""A service on the web with its store, the hands of an operator on the same store, and tokens of
every kind."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any, NamedTuple

import httpx2

from coatcheck import AsyncSessionManager, BackendUnavailable, Secret, SessionManager
from coatcheck.web import WebPolicy
from coatcheck_backends import sqlite
from coatcheck_conformance.frame.spelling import spell, unspell
from coatcheck_conformance.relay import BindingRelay
from web_services import SCOPES, Service

PEPPER = "a pepper of the services in the tests, which is long enough"
OTHER_PEPPER = "a pepper that the services in the tests were not told of"
COOKIE = "__Host-session"


class Faulty(BindingRelay):
    """A store that fails in a share of the calls."""

    share = 0.0
    """Of the calls that fail; 1 for all."""
    let_through: int | None = None
    """How many calls more until one fails, and all after it."""

    def __init__(self, backend: object, seed: int = 0) -> None:
        super().__init__(backend)
        self.failed = 0
        self._random = random.Random(seed)
        self._lock = threading.Lock()

    def mend(self) -> None:
        """Fail no more."""
        self.share, self.let_through = 0.0, None

    def _pass(self, hook: str, *args: Any) -> Any:
        with self._lock:
            fails = self._random.random() < self.share
            if self.let_through is not None:
                fails = fails or self.let_through <= 0
                self.let_through -= 1
            self.failed += fails
        if fails:
            raise BackendUnavailable("the store of this test is down")
        return super()._pass(hook, *args)


class World(NamedTuple):
    """One running service."""

    service: Service
    url: str
    """Of the store."""
    port: int
    store: Faulty
    operator: SessionManager
    """A manager of another process on the same store, which does not fail."""
    policy: WebPolicy

    client: httpx2.Client
    """It follows no redirect and keeps no cookie."""
    kept: dict[str, str]

    def token(self, kind: str = "good") -> str:
        """A token by what has become of it; see `TOKENS`. The same one each time."""
        if kind not in self.kept:
            self.kept[kind] = TOKENS[kind](self)
        return self.kept[kind]


def client_of(port: int, *, keeps_cookies: bool = False) -> httpx2.Client:
    """A client of the service at a port of this machine."""
    jar = CookieJar(None if keeps_cookies else DefaultCookiePolicy(allowed_domains=[]))
    return httpx2.Client(
        base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30, cookies=jar
    )


@contextmanager
def world(service: Service, directory: Path, policy: WebPolicy | None = None) -> Iterator[World]:
    """Start the service on an SQLite file in the directory."""
    url, policy = f"sqlite:///{directory / 'sessions.db'}", policy or WebPolicy(login_path="/login")
    with ExitStack() as stack:
        operator = stack.enter_context(SessionManager.open(url, pepper=PEPPER))
        store = Faulty(sqlite.open_backend(Secret(url)))
        kind = AsyncSessionManager if service.is_asynchronous else SessionManager
        sessions = kind(store, pepper=PEPPER)
        if isinstance(sessions, SessionManager):
            stack.enter_context(sessions)
        port = stack.enter_context(service.serve(sessions, policy))
        client = stack.enter_context(client_of(port))
        yield World(service, url, port, store, operator, policy, client, {})


def _issue(sessions: SessionManager, **options: Any) -> str:
    given = {"method": "password", "scopes": SCOPES, **options}
    return sessions.issue("ann", **given).token


def _revoked(here: World) -> str:
    issued = here.operator.issue("ann", method="password")
    here.operator.revoke(issued.session.id)
    return issued.token


def _elsewhere(here: World, **options: Any) -> str:
    """Issued by a manager with other options on the same store."""
    with SessionManager.open(here.url, **({"pepper": PEPPER} | options)) as other:
        return _issue(other)


def _long_ago() -> datetime:
    return datetime.now(UTC) - timedelta(days=20)


def _forged(here: World) -> str:
    session_id, secret = unspell(_issue(here.operator))
    return spell(session_id, secret[::-1])


TOKENS: dict[str, Callable[[World], str]] = {
    "good": lambda here: _issue(here.operator),
    "narrow": lambda here: _issue(here.operator, scopes=[SCOPES[0]]),
    "revoked": _revoked,
    "expired": lambda here: _elsewhere(here, clock=_long_ago, lifetime=timedelta(days=1)),
    "inactive": lambda here: _elsewhere(here, clock=_long_ago),
    "unknown_pepper": lambda here: _elsewhere(here, pepper=OTHER_PEPPER),
    "forged": _forged,
    "malformed": lambda here: _issue(here.operator)[:-1],
    "not ours": lambda _: "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ.",
}
"""Makers of tokens, by what has become of them."""
