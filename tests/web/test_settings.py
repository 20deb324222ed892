"""A bad combination of settings is refused when the service starts, and says what to do."""

from __future__ import annotations

from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatcheck import ConfigError
from coatcheck.web import SessionCookie, WebPolicy

BAD_COOKIES: list[tuple[dict[str, Any], str]] = [
    ({"secure": False}, "__Host-"),
    ({"name": "__host-session", "secure": False}, "__host-"),
    ({"name": "__Secure-session", "secure": False}, "__Secure-"),
    ({"name": "__Http-session", "secure": False}, "__Http-"),
    ({"path": "/app"}, "path"),
    ({"domain": "app.example"}, "domain"),
    ({"name": "__HOST-HTTP-session", "domain": "app.example"}, "domain"),
    ({"name": "s", "secure": False, "same_site": "None"}, "same_site"),
    ({"same_site": "lax"}, "same_site"),
    ({"same_site": None}, "same_site"),
    ({"same_site": False}, "same_site"),
    ({"secure": 1}, "secure"),
    ({"secure": "yes"}, "secure"),
    ({"persistent": None}, "persistent"),
    ({"name": ""}, "name"),
    ({"name": "my session"}, "name"),
    ({"name": "a=b"}, "name"),
    ({"name": "a;b"}, "name"),
    ({"name": "sitzüng"}, "name"),
    ({"name": 3}, "name"),
    ({"name": "s", "path": "app"}, "path"),
    ({"name": "s", "path": ""}, "path"),
    ({"name": "s", "path": "/a; Domain=evil.example"}, "path"),
    ({"name": "s", "path": "/a\r\nSet-Cookie: x=y"}, "path"),
    ({"name": "s", "domain": ".app.example"}, "domain"),
    ({"name": "s", "domain": "App.example"}, "domain"),
    ({"name": "s", "domain": "localhost"}, "domain"),
    ({"name": "s", "domain": "a.example; Path=/"}, "domain"),
    ({"name": "s", "domain": ""}, "domain"),
]

BAD_POLICIES: list[tuple[dict[str, Any], str]] = [
    ({"bearer": False, "cookie": None}, "at least one"),
    ({"bearer": "yes"}, "bearer"),
    ({"cookie": "session"}, "cookie"),
    ({"login_path": "login"}, "login_path"),
    ({"login_path": "//evil.example"}, "login_path"),
    ({"login_path": "https://app.example/login"}, "login_path"),
    ({"login_path": ""}, "login_path"),
    ({"login_path": 3}, "login_path"),
    ({"next_parameter": "a&b"}, "next_parameter"),
    ({"next_parameter": ""}, "next_parameter"),
    ({"trusted_origins": "https://app.example"}, "trusted_origins"),
    ({"trusted_origins": ["app.example"]}, "trusted_origins"),
    ({"trusted_origins": ["https://app.example/"]}, "trusted_origins"),
    ({"trusted_origins": ["https://app.example:443"]}, "trusted_origins"),
    ({"trusted_origins": ["https://App.example"]}, "trusted_origins"),
    ({"trusted_origins": ["https://ann@app.example"]}, "trusted_origins"),
    ({"trusted_origins": ["https://*.app.example"]}, "trusted_origins"),
    ({"trusted_origins": ["*"]}, "trusted_origins"),
    ({"trusted_origins": ["null"]}, "trusted_origins"),
    ({"trusted_origins": [None]}, "trusted_origins"),
    ({"realm": 'a"b'}, "realm"),
    ({"realm": "a\r\nb"}, "realm"),
    ({"realm": 3}, "realm"),
    ({"retry_after": timedelta(0)}, "retry_after"),
    ({"retry_after": 5}, "retry_after"),
]


@pytest.mark.parametrize(("given", "named"), BAD_COOKIES)
def test_a_cookie_that_browsers_would_drop_is_refused(given: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        SessionCookie(**given)


@pytest.mark.parametrize(("given", "named"), BAD_POLICIES)
def test_a_policy_that_cannot_be_is_refused(given: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        WebPolicy(**given)


def test_settings_are_named_and_compared_by_their_values() -> None:
    assert WebPolicy(realm="a") == WebPolicy(realm="a") != WebPolicy(realm="b")
    for kind in (WebPolicy, SessionCookie):
        with pytest.raises(TypeError):
            kind("first")


COOKIES = st.builds(
    SessionCookie,
    name=st.sampled_from(["s", "__Secure-s"]),
    secure=st.just(True),
    same_site=st.sampled_from(["Lax", "Strict", "None"]),
    path=st.sampled_from(["/", "/app"]),
    domain=st.sampled_from([None, "app.example"]),
    persistent=st.booleans(),
)


@given(
    COOKIES, st.from_regex(r"cck_[A-Za-z0-9_\-]{1,80}", fullmatch=True), st.none() | st.integers()
)
def test_what_is_set_is_what_a_parser_reads(
    cookie: SessionCookie, token: str, seconds: int | None
) -> None:
    [(name, morsel)] = SimpleCookie(cookie.field(token, seconds)).items()
    assert (name, morsel.value) == (cookie.name, token)
    assert morsel["httponly"] is morsel["secure"] is True
    assert (morsel["path"], morsel["samesite"]) == (cookie.path, cookie.same_site)
    assert morsel["domain"] == (cookie.domain or "")
    most = 400 * 24 * 3600
    age = most if seconds is None else max(0, min(seconds, most))
    assert morsel["max-age"] == (str(age) if cookie.persistent else "")


@given(COOKIES)
def test_what_deletes_has_the_attributes_of_what_sets(cookie: SessionCookie) -> None:
    """Or the browser would keep the one that was set."""
    set_field = cookie.field("token", 5).replace("Max-Age=5; ", "").replace("=token;", "=;")
    assert cookie.field(None).replace("Max-Age=0; ", "") == set_field
