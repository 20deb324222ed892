"""Proof of origin, against an independent reading of the standards."""

from __future__ import annotations

import ada_url
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coatcheck.web import RequestHead, WebPolicy
from coatcheck.web._policy.origins import is_proven

HOSTS = ["app.example", "app.example:443", "app.example:8443", "localhost:8000", "[::1]:8000"]
HOSTS += [
    "127.0.0.1",
    "evil.example",
    "",
    "app.example:x",
    "app.example:99999",
    "a b",
    "[",
    "APP.example",
]
ORIGINS = [f"{scheme}://{host}" for scheme in ("http", "https", "ftp", "null") for host in HOSTS]
ORIGINS += ["null", "", "app.example", "https://app.example@evil.example", "https://app.example/"]
SITES = ["same-origin", "same-site", "cross-site", "none", "", "SAME-ORIGIN", "x"]


def fields(draw: st.DrawFn, values: list[str]) -> list[str]:
    """Mostly one, sometimes none or two."""
    return draw(st.lists(st.sampled_from(values), min_size=1, max_size=2) | st.just([]))


@st.composite
def heads(draw: st.DrawFn) -> RequestHead:
    """Of browsers that say where a page is from, and of those that know `Origin` alone."""
    host = draw(st.sampled_from(HOSTS))
    near = [f"{scheme}://{host}" for scheme in ("http", "https")]
    headers = {
        "origin": draw(st.sampled_from(near).map(lambda one: [one]))
        if draw(st.booleans())
        else fields(draw, ORIGINS),
        "host": [host] if draw(st.booleans()) else fields(draw, HOSTS),
        "sec-fetch-site": fields(draw, SITES) if draw(st.booleans()) else [],
    }
    method = draw(st.sampled_from(["POST", "PUT", "DELETE", "GET", "HEAD", "OPTIONS", "get", "X"]))
    return RequestHead(method, "/", lambda name: headers[name], draw(st.booleans()))


@settings(max_examples=500)
@given(
    heads(),
    st.sets(st.sampled_from(["https://app.example", "http://localhost:8000"])),
    st.booleans(),
)
def test_a_request_counts_as_ours_exactly_if_the_browser_says_so(
    head: RequestHead, trusted: set[str], secure: bool
) -> None:
    assert is_proven(head, trusted, secure=secure) == expected(head, trusted, secure)


@pytest.mark.parametrize(
    ("origin", "host", "secure", "ours"),
    [
        ("https://app.example", "app.example", True, True),
        ("https://app.example", "app.example:443", True, True),
        ("https://app.example:8443", "app.example:8443", True, True),
        ("https://app.example:8443", "app.example", True, False),
        ("http://app.example", "app.example", True, False),
        ("http://app.example", "app.example", False, True),
        ("http://app.example", "app.example:80", False, True),
        ("http://app.example", "app.example:81", False, False),
        ("http://localhost:8000", "localhost:8000", True, True),
        ("http://app.localhost", "app.localhost", True, True),
        ("http://127.0.0.1", "127.0.0.1", True, True),
        ("http://[::1]", "[::1]", True, True),
        ("http://192.0.2.1", "192.0.2.1", True, False),
        ("http://a.example", "a.example", True, False),
        ("ftp://app.example", "app.example", False, False),
        ("https://evil.example", "app.example", True, False),
    ],
)
def test_an_origin_alone_must_be_that_of_the_host(
    origin: str, host: str, secure: bool, ours: bool
) -> None:
    headers = {"origin": [origin], "host": [host]}
    head = RequestHead("POST", "/", lambda name: headers.get(name, []))
    assert is_proven(head, (), secure=secure) is ours


@pytest.mark.parametrize(
    "origin", ["https://app.example", "http://localhost:8000", "https://[::1]:8443", "http://a-b.c"]
)
def test_an_origin_as_browsers_spell_it_may_be_trusted(origin: str) -> None:
    assert WebPolicy(trusted_origins=[origin]).trusted_origins == {origin}


def expected(head: RequestHead, trusted: set[str], secure: bool) -> bool:
    """As the documentation has it, by the URL parser of browsers."""
    origins, sites = list(head.fields("origin")), list(head.fields("sec-fetch-site"))
    if head.method in {"GET", "HEAD", "OPTIONS"} and not head.is_handshake:
        return True
    if len(origins) == 1 and origins[0] in trusted:
        return True
    if sites:
        return sites in (["same-origin"], ["none"])
    if len(origins) != 1 or len(head.fields("host")) != 1:
        return False
    try:
        origin = ada_url.URL(origins[0])
        asked = ada_url.URL(f"{origin.protocol}//{head.fields('host')[0]}")
    except ValueError:
        return False
    if origins[0] != origin.origin or origin.host != asked.host:
        return False
    is_local = origin.hostname in {"localhost", "127.0.0.1", "[::1]"}
    return origin.protocol == "https:" or not secure or is_local
