"""Several calls in one request: each sees what the one before it did."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from coatcheck import ConfigError, SessionManager
from coatcheck.web import Refused, RequestAuth, RequestHead, WebPolicy
from coatcheck_backends import memory
from coatcheck_conformance.relay import BindingRelay
from web_worlds import COOKIE, PEPPER


@pytest.fixture
def store() -> BindingRelay:
    return BindingRelay(memory.MemoryBackend())


@pytest.fixture
def sessions(store: BindingRelay) -> Iterator[SessionManager]:
    with SessionManager(store, pepper=PEPPER) as manager:
        yield manager


def request(
    sessions: SessionManager, token: str | None = None, policy: WebPolicy | None = None
) -> RequestAuth:
    """A form of ours, with a cookie or without."""
    fields = {"sec-fetch-site": ["same-origin"]}
    if token is not None:
        fields["cookie"] = [f"{COOKIE}={token}"]
    head = RequestHead("POST", "/", lambda name: fields.get(name, ()))
    return RequestAuth(sessions, policy or WebPolicy(), head)


def set_cookie(auth: RequestAuth) -> str | None:
    return dict(auth.exchange.owed(None)).get("Set-Cookie")


def test_a_session_is_read_once(store: BindingRelay, sessions: SessionManager) -> None:
    token = sessions.issue("ann", method="password").token
    for presented, loads in ((token, ["load"]), (token[:-1], []), (None, [])):
        store.reset()
        auth = request(sessions, presented)
        assert len({auth.session(), auth.session(), auth.session()}) == 1
        assert store.calls == loads


def test_what_was_signed_in_is_who_is_asking_from_then_on(sessions: SessionManager) -> None:
    auth = request(sessions, sessions.issue("ann", method="password").token)
    assert auth.require().user_id == "ann"
    issued = auth.sign_in("bob", method="password", scopes={"a"})
    assert auth.session() == auth.require("a") == issued.session
    assert [session.user_id for session in sessions.find()] == ["bob"]


def test_a_page_needs_no_proof_of_origin_unless_it_is_a_handshake(sessions: SessionManager) -> None:
    token = sessions.issue("ann", method="password").token
    fields = {"cookie": [f"{COOKIE}={token}"]}
    page = RequestHead("GET", "/", lambda name: fields.get(name, ()))
    assert RequestAuth(sessions, WebPolicy(), page).require().user_id == "ann"
    with pytest.raises(Refused, match="cross_origin"):
        RequestAuth(sessions, WebPolicy(), page._replace(is_handshake=True)).require()


def test_a_recorded_use_sets_the_cookie_anew_also_when_the_clock_went_on_meanwhile() -> None:
    instants = count(1_700_000_000_000)

    def clock() -> datetime:
        return datetime.fromtimestamp(next(instants) / 1000, UTC)

    options = {"touch_interval": timedelta(milliseconds=1), "clock": clock, "pepper": PEPPER}
    with SessionManager(memory.MemoryBackend(), **options) as sessions:
        auth = request(sessions, sessions.issue("ann", method="password").token)
        assert auth.session()
        assert "Max-Age=6047" in str(set_cookie(auth))


def test_an_answer_without_a_session_owes_nothing(sessions: SessionManager) -> None:
    auth = request(sessions, sessions.issue("ann", method="password").token)
    assert auth.exchange.owed("Accept") == []
    auth.session()
    owed = dict(auth.exchange.owed("Accept"))
    assert owed["Cache-Control"] == "no-store"
    assert owed["Vary"] == "Accept, Authorization, Cookie"
    assert dict(auth.exchange.owed("*"))["Vary"] == "*"
    assert dict(auth.exchange.owed("cookie,  ,x"))["Vary"] == "cookie, x, Authorization"


def test_a_second_sign_in_ends_the_first(sessions: SessionManager) -> None:
    auth = request(sessions)
    first, second = (auth.sign_in("ann", method="password") for _ in range(2))
    assert not sessions.validate(first.token)
    assert sessions.validate(second.token)
    assert second.token in str(set_cookie(auth))


@pytest.mark.parametrize("presented", [True, False])
def test_a_sign_out_after_a_sign_in_leaves_nothing(
    sessions: SessionManager, presented: bool
) -> None:
    token = sessions.issue("ann", method="password").token if presented else None
    auth = request(sessions, token)
    auth.sign_in("ann", method="password")
    assert auth.sign_out()
    assert not auth.sign_out()
    assert auth.session() is None
    assert sessions.count() == 0
    assert str(set_cookie(auth)).startswith(f"{COOKIE}=; ")


def test_a_cookie_that_the_service_has_not_is_refused_before_anything_happens(
    sessions: SessionManager,
) -> None:
    auth = request(sessions, policy=WebPolicy(cookie=None))
    with pytest.raises(ConfigError, match="cookie=True"):
        auth.sign_in("ann", method="password", cookie=True)
    assert auth.sign_in("ann", method="password").token
    assert sessions.count() == 1
    assert set_cookie(auth) is None
