"""`WWW-Authenticate`: challenges are read as RFC 9110 writes them, and garbage harms nothing."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatcheck.client._challenges import Challenge, challenges, says_invalid_token

TOKEN = st.from_regex(re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,8}"), fullmatch=True)
QUOTED = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"))
BLANK = st.sampled_from(["", " ", "\t", "  "])


@pytest.mark.parametrize(
    "field",
    [
        'Bearer error="invalid_token"',
        "Bearer error=invalid_token",
        'bEARER ERROR = "invalid_token"',
        'Bearer realm="a", error="invalid_token", error_description="it expired"',
        'Bearer realm="a, error=none \\" Basic",error="invalid_token"',
        'Basic realm="a", Bearer error="invalid_token"',
        'Bearer error="invalid_token", Basic realm="a"',
        'Negotiate, Bearer error="invalid_token"',
        'Negotiate YWJj==, Bearer error="invalid_token"',
        'Bearer realm="one", Bearer error="invalid_token"',
        ', ,Bearer  error="invalid_token" , ',
        'Bearer error="invalid\\_token"',
        'Bearer error="invalid_token", error_description="unescaped " quote"',
    ],
)
def test_it_says_invalid_token(field: str) -> None:
    assert says_invalid_token([field])
    assert says_invalid_token(['Basic realm="a"', field, "Negotiate"])


@pytest.mark.parametrize(
    "field",
    [
        "",
        "Bearer",
        "Bearer invalid_token",
        'error="invalid_token"',
        'Bearer realm="a"',
        'Bearer error="invalid_request"',
        'Bearer error="INVALID_TOKEN"',
        'Bearer error="invalid_token_of_another_kind"',
        'Bearer error="insufficient_scope", error_description="error=invalid_token"',
        'Bearer realm="a", Basic error="invalid_token"',
        'Bearer realm="Bearer error=\\"invalid_token\\""',
        'Bearer realm="never ends, error=invalid_token',
        'BearerX error="invalid_token"',
        'Bearer error="invalid_request", error="invalid_token"',
        'Bearer x_error="invalid_token"',
    ],
)
def test_it_says_nothing_of_the_kind(field: str) -> None:
    assert not says_invalid_token([field])


@st.composite
def written(draw: st.DrawFn) -> tuple[str, list[Challenge]]:
    """A field, and what it says."""
    parts: list[str] = []
    meant: list[Challenge] = []
    for scheme in draw(st.lists(TOKEN, min_size=1, max_size=3)):
        named = draw(st.dictionaries(TOKEN.map(str.lower), TOKEN | QUOTED, max_size=3))
        meant.append(Challenge(scheme.lower(), named))
        if not named:
            parts.append(scheme + draw(st.sampled_from(["", " YWJj", " YWJj=="])))
        for n, (name, value) in enumerate(named.items()):
            is_token = re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", value) and draw(st.booleans())
            shown = value if is_token else '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'
            equals = f"{draw(BLANK)}={draw(BLANK)}"
            parts.append(f"{scheme + ' ' if n == 0 else ''}{name}{equals}{shown}")
    commas = draw(st.sampled_from([",", ", ", " ,", ",,", ", , "]))
    return commas.join(parts), meant


@given(written())
def test_what_is_written_is_read(case: tuple[str, list[Challenge]]) -> None:
    field, meant = case
    assert list(challenges(field)) == meant


@given(st.text() | st.text(st.sampled_from('Bearer ,="\\x')))
def test_anything_else_is_read_without_an_error(field: str) -> None:
    says_invalid_token([field])


@pytest.mark.parametrize(
    "field",
    [
        "Bearer " + "a" * 100_000 + " b",
        "Bearer" + " " * 100_000 + "!",
        'Bearer a="' + "\\x" * 100_000,
        "Bearer a=b" + ", a=b" * 20_000,
        "a " * 50_000,
        "Bearer a" + " =" * 50_000,
        "," * 100_000 + " " * 100_000,
    ],
)
def test_no_field_takes_long(field: str) -> None:
    start = time.monotonic()
    says_invalid_token([field])
    assert time.monotonic() - start < 1
