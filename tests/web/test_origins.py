"""Proof of origin, against an independent reading of the standards."""

from __future__ import annotations

import ada_url
from hypothesis import given
from hypothesis import strategies as st

from coatcheck.web import RequestHead
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
    return draw(st.lists(st.sampled_from(values), max_size=2) | st.just([]))


@st.composite
def heads(draw: st.DrawFn) -> RequestHead:
    headers = {
        "origin": fields(draw, ORIGINS),
        "host": fields(draw, HOSTS),
        "sec-fetch-site": fields(draw, SITES),
    }
    method = draw(st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "get", "X"]))
    return RequestHead(method, "/", lambda name: headers[name], draw(st.booleans()))


@given(
    heads(),
    st.sets(st.sampled_from(["https://app.example", "http://localhost:8000"])),
    st.booleans(),
)
def test_a_request_counts_as_ours_exactly_if_the_browser_says_so(
    head: RequestHead, trusted: set[str], secure: bool
) -> None:
    assert is_proven(head, trusted, secure=secure) == expected(head, trusted, secure)


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
    if origin.protocol not in {"http:", "https:"} or origin.host != asked.host:
        return False
    is_local = origin.hostname in {"localhost", "127.0.0.1", "[::1]"}
    return origin.protocol == "https:" or not secure or is_local
