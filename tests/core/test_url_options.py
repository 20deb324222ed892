"""The query of a store's URL: what it may say, and what is said when it may not."""

from __future__ import annotations

import re
from typing import Any

import pytest

from coatcheck import ConfigError, Secret
from coatcheck_backends._options import Options

KNOWN = ("table", "size", "mode")
CANARY = "canary-value"


def options(known: tuple[str, ...] = KNOWN, **query: Any) -> Options:
    return Options("a store", Secret(query), known)


def test_the_first_unknown_option_is_named_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"unknown option 'x' \(known: mode, size, table\)$"):
        options(size="1", x=CANARY, y=CANARY)
    with pytest.raises(ConfigError, match=r"unknown option 'x' \(known: none\)$"):
        options((), x=CANARY)


def test_the_first_option_that_is_given_twice_is_named() -> None:
    with pytest.raises(ConfigError, match=r"option 'table' is given more than once$"):
        options(table=(CANARY, "b"), size=("1", "2"))


@pytest.mark.parametrize("text", ["1", "7", "1000"])
def test_a_whole_number_within_its_bounds_is_taken(text: str) -> None:
    assert options(size=text).integer("size", default=16, least=1, most=1000) == int(text)
    assert options().integer("size", default=16, least=1, most=1000) == 16


@pytest.mark.parametrize(
    "text", ["", "0", "1001", "0001000", "-1", "+1", " 1", "1_0", "\uff11", "1.0"]
)
def test_any_other_number_is_refused_with_the_bounds(text: str) -> None:
    with pytest.raises(ConfigError, match=r"'size' must be a whole number from 1 to 1000$"):
        options(size=text).integer("size", default=16, least=1, most=1000)


def test_a_choice_is_one_of_those_allowed_and_the_error_says_why() -> None:
    def chosen(why: str = "", **query: str) -> str:
        return options(**query).choice("mode", default="a", allowed=("a", "b"), why=why)

    assert (chosen(), chosen(mode="b")) == ("a", "b")
    with pytest.raises(ConfigError, match=r"option 'mode' must be a or b: it is slow$") as raised:
        chosen("it is slow", mode=CANARY)
    assert CANARY not in str(raised.value)
    with pytest.raises(ConfigError, match=r"option 'mode' must be a or b$"):
        chosen(mode=CANARY)


def test_a_name_is_absent_or_fits_its_spelling_as_a_whole() -> None:
    spelling = re.compile("[a-z]+")
    assert options().name("table", spelling) is None
    assert options(table="ab").name("table", spelling) == "ab"
    with pytest.raises(ConfigError, match=r"option 'table' must match \[a-z\]\+$"):
        options(table="ab;").name("table", spelling)
