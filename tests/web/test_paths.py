"""Where a login page may send a browser: never off the service. Judged by the URL parser that
browsers agree on (WHATWG)."""

from __future__ import annotations

import ada_url
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatcheck.web import RequestHead, local_path
from coatcheck.web._policy.navigation import login_target

HERE = "https://app.example"
# What open redirects are made of.
PIECES = ["/", "\\", "//", "evil.example", "https:", "javascript:", "@", ":", ".", "..", "?", "#"]
PIECES += [
    "\t",
    "\n",
    "\r",
    " ",
    "\0",
    "%2f",
    "%5c",
    "%09",
    "a",
    ";",
    "&",
    "ä",
    "。",
    "/",
    "[",
    "]",
]
HOSTILE = st.lists(st.sampled_from(PIECES), max_size=8).map("".join) | st.text(max_size=12)


@given(HOSTILE)
def test_a_browser_that_is_sent_there_stays_here(text: str) -> None:
    path = local_path(text)
    assert path in {text, "/"}
    for base in (f"{HERE}/", f"{HERE}/login?next=x", f"{HERE}/deep/page"):
        assert ada_url.URL(path, base).origin == HERE
    assert path.isascii()
    assert path.isprintable()


@given(st.from_regex(r"/[a-zA-Z0-9\-._~%!$&'()*+,;=:@/?]{0,60}", fullmatch=True))
def test_a_path_of_the_service_is_kept_as_it_is(path: str) -> None:
    assert local_path(path) == ("/" if path.startswith("//") else path)


@pytest.mark.parametrize("given", [None, 3, b"/x", ["/x"], "", "x", "?x", "/" + "x" * 2048])
def test_what_is_no_path_is_the_default(given: object) -> None:
    assert local_path(given) == "/"
    assert local_path(given, default="/home") == "/home"


@given(HOSTILE)
def test_the_login_page_gets_the_wanted_one_back_unharmed(text: str) -> None:
    head = RequestHead("GET", text, lambda name: ())
    url = ada_url.URL(login_target("/login?lang=en", "next", head), HERE)
    assert (url.origin, url.pathname) == (HERE, "/login")
    wanted = ada_url.URLSearchParams(url.search)
    assert wanted.get("lang") == "en"
    if local_path(text, default="") == text != "":
        assert wanted.get("next") == text
    else:
        assert not wanted.has("next")


def test_the_answer_to_a_form_is_not_sent_back_to_its_address() -> None:
    head = RequestHead("POST", "/notes", lambda name: ())
    assert login_target("/login", "next", head) == "/login"
