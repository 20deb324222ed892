"""Which origins a token may be for, and which requests go there."""

from __future__ import annotations

import httpx2
import pytest

from coatcheck import ConfigError
from coatcheck.client import SessionAuth
from coatcheck.client._origin import origin_of, read_origin


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("https://api.example", "https://api.example"),
        ("https://api.example/", "https://api.example"),
        ("HTTPS://API.Example:443", "https://api.example"),
        ("https://api.example:8443", "https://api.example:8443"),
        ("https://Bücher.example", "https://xn--bcher-kva.example"),
        ("https://[2001:DB8:0::1]", "https://[2001:db8::1]"),
        ("https://192.0.2.7", "https://192.0.2.7"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://LOCALHOST:8000", "http://localhost:8000"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://127.255.0.9:8000", "http://127.255.0.9:8000"),
        ("http://[0:0:0:0:0:0:0:1]:8000", "http://[::1]:8000"),
        (httpx2.URL("https://api.example"), "https://api.example"),
    ],
)
def test_an_origin_is_taken_in_its_one_spelling(given: str | httpx2.URL, shown: str) -> None:
    assert repr(SessionAuth(given)) == f"SessionAuth({shown!r})"


@pytest.mark.parametrize(
    "given",
    [
        "",
        "api.example",
        "//api.example",
        "/path",
        "https://",
        "https:///path",
        "https://api.example/path",
        "https://api.example/..",
        "https://api.example//",
        "https://api.example?",
        "https://api.example?query=canary",
        "https://api.example#",
        "https://ada:canary@api.example",
        "https://@api.example",
        "https://api.example\\@other.example",
        "https://api.example:port",
        "https://api.example:65536",
        "https://api%2eexample",
        "https://api.example\n",
        "ftp://api.example",
        "ws://localhost:8000",
        "http://api.example",
        "http://192.0.2.7:8000",
        "http://localhost.example:8000",
        "http://localhost.:8000",
        "http://a.localhost:8000",
        "http://127.1:8000",
        "http://127.0.0.1.example:8000",
        "http://0.0.0.0:8000",
        "http://[::]:8000",
        "http://[::ffff:127.0.0.1]:8000",
        "http://localhost",
        "http://localhost:80",
        "http://127.0.0.1:080",
        None,
        b"https://api.example",
    ],
)
def test_what_is_no_safe_origin_is_refused_and_not_shown(given: object) -> None:
    with pytest.raises(ConfigError, match=r"^origin must ") as caught:
        SessionAuth(given)  # type: ignore[arg-type]
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("origin", "url", "is_there"),
    [
        ("https://api.example", "https://api.example/a?b", True),
        ("https://api.example", "https://API.EXAMPLE:443/", True),
        ("https://api.example", "https://ada@api.example/", True),
        ("https://xn--bcher-kva.example", "https://BÜCHER.example", True),
        ("http://[::1]:8000", "http://[0:0::0:1]:8000", True),
        ("https://api.example", "http://api.example/", False),
        ("https://api.example", "http://api.example:443/", False),
        ("https://api.example", "https://api.example:8443/", False),
        ("https://api.example", "https://api.example.:443/", False),
        ("https://api.example", "https://www.api.example/", False),
        ("https://api.example", "https://example/", False),
        ("https://api.example", "https://api.example@other.example/", False),
        ("https://api.example", "wss://api.example/", False),
        ("https://api.example", "/relative", False),
        ("http://localhost:8000", "http://127.0.0.1:8000", False),
        ("http://127.0.0.1:8000", "http://127.0.0.2:8000", False),
    ],
)
def test_scheme_host_and_port_are_compared(origin: str, url: str, is_there: bool) -> None:
    assert (origin_of(httpx2.URL(url)) == read_origin(origin)) is is_there
