"""Hypothesis strategies for the values that the field rules allow, and for those they refuse."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final, Literal

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from .clock import MILLISECOND

END_OF_TIME: Final = datetime(9000, 1, 1, tzinfo=UTC)
LONGEST_TEXT: Final = 255
LONGEST: Final = timedelta(days=365_250)
SCOPE_ALPHABET: Final = "".join(chr(c) for c in range(0x21, 0x7F) if chr(c) not in '"\\')

TELLING_TEXTS: Final = (
    "user-42", "User-42", "USER-42", "user-42 ", " user-42", "user\u00a042", "user-4\uff12",
    "caf\u00e9", "cafe\u0301", "ß", "SS", "ss", "İ", "i", "\u0131", "ﬁ", "fi", "Å", "\u212b",
    "%", "_", "user%", "*", "?", "\\", "'", "''", "' OR 1=1 --", '"', "$ne", '{"$ne": ""}',
    "$where", "a.b", "null", "None", "0", "1", "true", "__proto__", "\u202eevil", "\u200b",
    "\ufeff", "\u2028", "\U0001f9e5", "\U0010ffff", "\uffff", "a\u0300\u0301\u0302",
)  # fmt: skip
"""Texts that some store, somewhere, takes for each other, or for something else than text."""

TELLING_KEYS: Final = ("", "$", ".", "$ne", "$set", "a.b", "a.", ".a", "_id", "__proto__", "0")


_SURROGATES: Final[tuple[Literal["Cs"]]] = ("Cs",)


def texts() -> SearchStrategy[str]:
    """Legal user ids and methods."""
    letters = st.characters(exclude_categories=("Cc", "Cs"))
    return st.one_of(
        st.sampled_from(TELLING_TEXTS),
        st.text(letters, min_size=1, max_size=12),
        st.builds(_repeated, letters, st.sampled_from((1, LONGEST_TEXT - 1, LONGEST_TEXT))),
    )


def lookalikes() -> SearchStrategy[list[str]]:
    """Different texts that a careless look-up takes for each other."""

    def variants(text: str) -> list[str]:
        forms = [unicodedata.normalize(form, text) for form in ("NFC", "NFD", "NFKC", "NFKD")]
        cases = [text.upper(), text.lower(), text.swapcase(), text.casefold()]
        blanks = [text + " ", " " + text, text.strip(), text + "\u00a0", text + "%", text[:-1]]
        return sorted(
            {form for form in (text, *forms, *cases, *blanks) if 1 <= len(form) <= LONGEST_TEXT}
        )

    def some(text: str) -> SearchStrategy[list[str]]:
        return st.lists(st.sampled_from(variants(text)), min_size=2, max_size=5, unique=True)

    return texts().flatmap(some)


def scope_tokens() -> SearchStrategy[str]:
    """Legal scopes."""
    return st.one_of(
        st.sampled_from(("read", "Read", "write", "a", "a:b", "%", "_", "[]", "{}", "$ne", "a.b")),
        st.text(SCOPE_ALPHABET, min_size=1, max_size=8),
        st.sampled_from(SCOPE_ALPHABET).map(lambda c: c * 255),
    )


def scope_sets() -> SearchStrategy[frozenset[str]]:
    """Legal sets of scopes, the empty and the largest included."""
    most = frozenset(f"scope:{n}" for n in range(100))
    return st.one_of(st.frozensets(scope_tokens(), max_size=4), st.just(most))


def json_texts() -> SearchStrategy[str]:
    """Strings inside metadata: anything but NUL and lone surrogates."""
    letters = st.characters(exclude_categories=_SURROGATES, exclude_characters="\x00")
    return st.one_of(st.sampled_from(TELLING_TEXTS), st.text(letters, max_size=8))


def metadata() -> SearchStrategy[dict[str, Any]]:
    """Legal metadata."""
    keys = st.one_of(st.sampled_from(TELLING_KEYS), json_texts())
    numbers = st.one_of(
        st.sampled_from((0, 1, -1, 2**53, 2**53 + 1, 2**63 - 1, -(2**63))),
        st.integers(-(2**63), 2**63 - 1),
        st.sampled_from((0.0, -0.0, 1.0, 0.1, 5e-324, 1.7976931348623157e308)),
        st.floats(allow_nan=False, allow_infinity=False),
    )
    leaves = st.one_of(st.none(), st.booleans(), numbers, json_texts())
    values = st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
        max_leaves=6,
    )
    return st.dictionaries(keys, values, max_size=4)


def spans(least: timedelta, most: timedelta = LONGEST) -> SearchStrategy[timedelta]:
    """Spans with microseconds, the ends of the range included."""
    return st.one_of(st.sampled_from((least, most)), st.timedeltas(least, most))


def timeouts() -> SearchStrategy[timedelta | None]:
    """Legal inactivity timeouts."""
    return st.none() | spans(timedelta(seconds=1))


def zones() -> SearchStrategy[timezone]:
    """Offsets from UTC, odd ones too."""
    return st.sampled_from(
        (
            UTC,
            timezone(timedelta(hours=5, minutes=45)),
            timezone(timedelta(hours=-12)),
            timezone(timedelta(hours=14)),
            timezone(timedelta(seconds=-1, microseconds=1)),
        )
    )


def ends(now: datetime) -> SearchStrategy[dict[str, Any]]:
    """The arguments of `issue` that say when a session ends, in every legal combination."""
    # Rounded down to the millisecond it must still be after now.
    first = now + MILLISECOND
    latest = END_OF_TIME - MILLISECOND
    instants = st.one_of(
        st.sampled_from((first, latest)),
        st.datetimes(first.replace(tzinfo=None), latest.replace(tzinfo=None)).map(
            lambda instant: instant.replace(tzinfo=UTC)
        ),
    )
    shown = st.builds(datetime.astimezone, instants, zones())
    absolute = st.one_of(
        st.just(dict[str, Any]()),
        st.fixed_dictionaries({"expires_at": st.none() | shown}),
        st.fixed_dictionaries({"lifetime": st.none() | spans(MILLISECOND)}),
    )
    sliding = st.fixed_dictionaries({}, optional={"inactivity_timeout": timeouts()})
    return st.builds(_merged, absolute, sliding)


def issues(now: datetime) -> SearchStrategy[dict[str, Any]]:
    """The arguments of a legal `issue` at the instant `now`, `user_id` among them."""
    values = st.fixed_dictionaries(
        {"user_id": texts(), "method": texts()},
        optional={"scopes": scope_sets(), "metadata": metadata()},
    )
    return st.builds(_merged, values, ends(now))


def _repeated(text: str, times: int) -> str:
    return text * times


def _joined(before: str, middle: str, after: str) -> str:
    return before + middle + after


def _merged(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    return {**first, **second}


def unprintable_texts() -> SearchStrategy[str]:
    """Texts of a legal length with a control character, a NUL or a lone surrogate in them."""
    bad = st.characters(categories=("Cc", "Cs"))
    return st.builds(_joined, st.text(max_size=5), bad, st.text(max_size=5))


def illegal_texts() -> SearchStrategy[object]:
    """What is no user id and no method."""
    return st.one_of(
        unprintable_texts(),
        st.just(""),
        st.integers(256, 400).map(lambda n: "x" * n),
        st.binary(max_size=8),
        st.integers(),
        st.booleans(),
        st.lists(st.text(max_size=3), max_size=2),
        st.dictionaries(st.just("$ne"), st.text(max_size=3), max_size=1),
    )


def illegal_scopes() -> SearchStrategy[object]:
    """What is no collection of scopes."""
    bad_letters = st.characters().filter(lambda c: c not in SCOPE_ALPHABET)
    bad_tokens = st.one_of(
        st.builds(_joined, st.text(max_size=3), bad_letters, st.text(max_size=3)),
        st.just(""),
        st.just("x" * 256),
        st.integers(),
        st.none(),
        st.binary(max_size=3),
    )
    return st.one_of(
        st.lists(bad_tokens, min_size=1, max_size=3),
        st.text(max_size=5),
        st.binary(max_size=5),
        st.none(),
        st.integers(),
        st.dictionaries(scope_tokens(), st.booleans(), max_size=2),
        st.integers(101, 120).map(lambda n: [f"s{i}" for i in range(n)]),
    )


def illegal_metadata() -> SearchStrategy[object]:
    """What is no JSON object within the limits. No `None`, which is "none given" for `issue`."""
    unstorable = st.sampled_from(("\x00", "a\x00b", "\ud800", "x\udfff"))
    values = st.one_of(
        unstorable,
        st.sampled_from((2**63, -(2**63) - 1, 10**40, math.nan, math.inf, -math.inf)),
        st.sampled_from((b"x", (1, 2), {1}, 1j, object(), datetime(2030, 1, 1, tzinfo=UTC))),
        st.integers(32, 60).map(_nested),
        st.just(_nested(10_000)),
        st.integers(8190, 9000).map(lambda n: "x" * n),
        st.integers(2800, 3000).map(lambda n: "€" * n),
        st.just([None] * 9000),
        st.dictionaries(st.integers() | st.none() | st.binary(max_size=2), st.none(), min_size=1),
        st.dictionaries(unstorable, st.none(), min_size=1),
    )
    return st.one_of(
        st.dictionaries(json_texts(), values, min_size=1, max_size=2),
        st.lists(json_texts(), max_size=3),
        st.text(max_size=5),
        st.binary(max_size=5),
        st.integers(),
        st.booleans(),
    )


def _nested(levels: int) -> object:
    value: object = None
    for level in range(levels):
        value = [value] if level % 2 else {"": value}
    return value


def illegal_ends(now: datetime) -> SearchStrategy[Mapping[str, object]]:
    """Arguments of `issue` that name no end that could be."""
    instants = st.one_of(
        st.sampled_from(
            (
                now,
                now - MILLISECOND,
                datetime(1970, 1, 1, tzinfo=UTC),
                END_OF_TIME,
                datetime.max.replace(tzinfo=UTC),
                datetime(2031, 1, 1),  # noqa: DTZ001 - naive on purpose
            )
        ),
        _no_spans(),
        st.timedeltas(),
    )
    long = st.timedeltas(LONGEST + timedelta(microseconds=1), timedelta.max)
    negative = st.timedeltas(timedelta.min, timedelta(microseconds=999))
    short = st.timedeltas(timedelta.min, timedelta(microseconds=999_999))
    return st.one_of(
        st.fixed_dictionaries({"expires_at": instants}),
        st.fixed_dictionaries({"lifetime": st.one_of(long, negative, _no_spans())}),
        st.fixed_dictionaries({"inactivity_timeout": st.one_of(long, short, _no_spans())}),
        st.just({"expires_at": now + timedelta(days=1), "lifetime": timedelta(days=1)}),
        st.just({"expires_at": None, "lifetime": None}),
    )


def _no_spans() -> SearchStrategy[object]:
    return st.one_of(
        st.integers(),
        st.floats(),
        st.text(max_size=4),
        st.booleans(),
        st.just("PT1H"),
        st.lists(st.integers(), max_size=1),
    )
