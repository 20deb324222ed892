"""Bad tokens by kind, seeded. Each kind has at least as many members as are asked for."""

from __future__ import annotations

import base64
import itertools
import random
import string
from collections import OrderedDict
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

from coatcheck_conformance.frame.spelling import URLSAFE, spell, unspell

MEGABYTES_10 = 10 * 1024 * 1024
BLANKS = " \t\n\r\v\f\x85\u00a0\u1680\u2000\u2009\u200b\u2028\u2029\u202f\u205f\u3000\ufeff"


class Hostile:
    """Raises whatever is asked of it."""

    def _raise(self, *_: object) -> Any:
        raise RuntimeError("nothing may be asked of a token that is none")

    __repr__ = __str__ = __len__ = __eq__ = __hash__ = __bool__ = __iter__ = _raise  # type: ignore[assignment]
    __bytes__ = __format__ = __getitem__ = __contains__ = __lt__ = __add__ = _raise  # type: ignore[assignment]


class Impostor(Hostile):
    """Says that it is a string, and is not."""

    @property
    def __class__(self) -> type:  # type: ignore[override]
        return str


class Faceless(Hostile):
    """Raises even when asked what it is."""

    @property
    def __class__(self) -> type:  # type: ignore[override]
        raise RuntimeError("who wants to know?")


class Tricky(str):
    """A string whose methods raise."""

    def _raise(self, *_: object) -> Any:
        raise RuntimeError("nothing may be asked of a token that is none")

    __len__ = __eq__ = __getitem__ = __hash__ = __iter__ = __contains__ = _raise  # type: ignore[assignment]
    encode = startswith = isascii = partition = translate = _raise  # type: ignore[assignment]


def _one_by_one(tokens: list[str], change: Callable[[str, int], str]) -> Iterator[str]:
    """A change at each place of each token."""
    for token in tokens:
        for place in range(len(token)):
            yield change(token, place)


def _repeated(values: list[Any]) -> Iterator[Any]:
    """Values of which there are few."""
    return itertools.cycle(values)


def malformed(tokens: list[str], seed: int) -> dict[str, Iterator[Any]]:
    """By kind, more bad tokens than anybody wants. None of them may reach the store."""
    dice = random.Random(seed)
    other_alphabets: list[Callable[[bytes], str]] = [
        lambda facts: base64.b32encode(facts).decode(),
        lambda facts: base64.b32hexencode(facts).decode(),
        lambda facts: base64.b16encode(facts).decode(),
        lambda facts: facts.hex(),
        lambda facts: base64.b85encode(facts).decode(),
        lambda facts: base64.a85encode(facts).decode(),
        lambda facts: str(int.from_bytes(facts)),
        lambda facts: base64.b64encode(facts).decode().replace("=", ".").replace("+", "~"),
    ]

    def facts(token: str) -> bytes:
        body = token.partition("_")[2]
        return base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))

    def standard(token: str) -> str:
        # One whose body differs in the two alphabets.
        return token[:4] + token[4:].replace("-", "+").replace("_", "/")

    def insert(extra: Callable[[], str]) -> Iterator[str]:
        for token in itertools.cycle(tokens):
            place = dice.randrange(len(token) + 1)
            yield token[:place] + extra() + token[place:]

    def replace(extra: Callable[[], str]) -> Iterator[str]:
        for token in itertools.cycle(tokens):
            place = dice.randrange(len(token))
            yield token[:place] + extra() + token[place + 1 :]

    def halves() -> Iterator[str]:
        for first, second in itertools.permutations(tokens, 2):
            for place in range(1, len(first)):
                # With one's id and the other's checksum, or the other way round.
                if first[:place] + second[place:] not in (first, second):
                    yield first[:place] + second[place:]

    def prefixes() -> Iterator[str]:
        letters = string.ascii_lowercase + string.digits + "_-"
        names = ["CCK", "cc", "cckk", "ccK", "", "_", "ckc", "https://cck", "Bearer cck", "sk"]
        for n in itertools.count():
            token = tokens[n % len(tokens)]
            name = names[n] if n < len(names) else "".join(dice.choices(letters, k=n % 17 + 1))
            if name != "cck":
                yield f"{name}_{token[4:]}"

    def every_edit() -> Iterator[str]:
        for token in tokens:
            for place, letter in itertools.product(range(len(token)), URLSAFE + "+/=. é\0"):
                if token[place] != letter:
                    yield token[:place] + letter + token[place + 1 :]

    def another_case() -> Iterator[str]:
        for token in tokens:
            for place, letter in enumerate(token):
                if letter.swapcase() != letter:
                    yield token[:place] + letter.swapcase() + token[place + 1 :]
            yield from (token.upper(), token.lower(), token.swapcase(), token.title())

    def odd_lengths() -> Iterator[str]:
        lengths = [n for n in range(400) if not 16 <= n <= 255]
        for n in itertools.cycle(lengths):
            yield spell(UUID(int=dice.getrandbits(128)), dice.randbytes(n))

    def checksums() -> Iterator[str]:
        for token in itertools.cycle(tokens):
            session_id, secret = unspell(token)
            yield spell(session_id, secret, checksum=dice.getrandbits(32))

    def spare_bits() -> Iterator[str]:
        for length in itertools.cycle((17, 18, 20, 21, 32, 33)):
            token = spell(UUID(int=dice.getrandbits(128)), dice.randbytes(length))
            last = URLSAFE.index(token[-1])
            # One byte left over leaves four bits of the last character, two leave two.
            for bits in range(1, {1: 16, 2: 4}[(length + 20) % 3]):
                yield token[:-1] + URLSAFE[last ^ bits]

    def of_other_types() -> list[Any]:
        token = tokens[0]
        return [
            [], [token], (token,), {token}, frozenset({token}), {token: token}, {"$ne": ""},
            {"token": token}, iter([token]), range(75), object(), object, type, str, len,
            lambda: token, Ellipsis, NotImplemented, Exception(token), Path(token),
            UUID(int=7), OrderedDict(a=token), slice(0, 75), unspell(token), print, dice,
            [[[[token]]]], [None] * 75, (c for c in token), b"".join,
        ]  # fmt: skip

    numbers: list[Any] = [
        0, 1, -1, 75, 2**63, 10**400, True, False, 0.0, -0.0, 1.5, 1e308, float("nan"),
        float("inf"), float("-inf"), 1j, Decimal(1), Decimal("NaN"), Fraction(1, 3),
    ]  # fmt: skip
    operators = [
        "' OR '1'='1", "'; DROP TABLE sessions; --", '{"$ne": null}', '{"$gt": ""}', "$where",
        "__proto__", "../../etc/passwd", "%00", "\\x00", "\x1b[2J\x1b[31m", "\u202ecck_", "${7*7}",
        "{{7*7}}", "<script>", "null", "undefined", "None", "true", "[]", "{}", "cck_", "_", "cck",
        "Bearer ", "sqlite:///", "\r\nSet-Cookie: a=b",
    ]  # fmt: skip
    surrogates = [chr(dice.randrange(0xD800, 0xE000)) for _ in range(64)]
    return {
        "nothing at all": _repeated(["", b"", bytearray(), [], (), {}, set(), memoryview(b"")]),
        "None": _repeated([None]),
        "10 MB": (
            (tokens[n % len(tokens)] if n % 2 else "cck_") + chr(33 + n % 90) * MEGABYTES_10
            for n in itertools.count()
        ),
        "every prefix": _one_by_one(tokens, lambda token, place: token[:place]),
        "every suffix": _one_by_one(tokens, lambda token, place: token[place + 1 :]),
        "every one-character edit": every_edit(),
        "a character left out": _one_by_one(tokens, lambda t, at: t[:at] + t[at + 1 :]),
        "a character twice": _one_by_one(tokens, lambda t, at: t[:at] + t[at] + t[at:]),
        "swapped halves": halves(),
        "wrong prefix": prefixes(),
        "standard alphabet": (
            token for token in map(standard, _fresh(dice)) if "+" in token or "/" in token
        ),
        "other alphabets": (
            f"cck_{other_alphabets[n % len(other_alphabets)](facts(token))}"
            for n, token in enumerate(itertools.cycle(tokens))
        ),
        "padding": (token + "=" * (n % 7 + 1) for n, token in enumerate(itertools.cycle(tokens))),
        "blanks inside": insert(lambda: dice.choice(BLANKS)),
        "blanks around": (
            blank + token + end
            for token in itertools.cycle(tokens)
            for blank, end in ((dice.choice(BLANKS), ""), ("", dice.choice(BLANKS)))
        ),
        "NUL": insert(lambda: "\0"),
        "full-width letters": _one_by_one(
            tokens, lambda t, at: t[:at] + chr(ord(t[at]) + 0xFEE0) + t[at + 1 :]
        ),
        "digits of other scripts": replace(lambda: dice.choice("０٠۰०১੧๑᠑𝟏𝟙①²½Ⅷ〇")),
        "lone surrogates": replace(lambda: dice.choice(surrogates)),
        "control characters": insert(lambda: chr(dice.choice((*range(1, 32), 127, 0x9B)))),
        "another case": another_case(),
        "bytes": (
            kind(token.encode())
            for token in itertools.cycle(tokens)
            for kind in (bytes, bytearray, memoryview, list, tuple)
        ),
        "numbers": _repeated([*numbers, *range(1000, 1400)]),
        "lists and other objects": _repeated(of_other_types()),
        "operators of other languages": (
            before + operator + after
            for operator in itertools.cycle(operators)
            for before, after in (("", ""), ("cck_", ""), (tokens[0], ""), ("", tokens[0]))
        ),
        "secrets of an illegal length": odd_lengths(),
        "wrong checksum": checksums(),
        "spare bits": spare_bits(),
        "two tokens": (
            joint.join(pair)
            for pair in itertools.product(tokens, repeat=2)
            for joint in ("", " ", ",", "_", "\n", ".")
        ),
        "random bytes": (
            f"cck_{base64.urlsafe_b64encode(dice.randbytes(52)).decode().rstrip('=')}"
            for _ in itertools.count()
        ),
        "random text": (
            "".join(chr(dice.randrange(0xD800)) for _ in range(dice.randrange(1, 120)))
            for _ in itertools.count()
        ),
    }


def hostile(tokens: list[str]) -> dict[str, Iterator[Any]]:
    """Objects that raise when they are asked anything. As text each is malformed, too."""
    return {
        "objects that raise": (Hostile() for _ in itertools.count()),
        "objects that say they are strings": (Impostor() for _ in itertools.count()),
        "objects that do not say what they are": (Faceless() for _ in itertools.count()),
        "strings that raise": (Tricky(token + "x") for token in itertools.cycle(tokens)),
    }


def _fresh(dice: random.Random) -> Iterator[str]:
    """Well-formed tokens without end, of nobody."""
    while True:
        yield spell(UUID(int=dice.getrandbits(128)), dice.randbytes(32))


def forged(tokens: list[str], seed: int) -> dict[str, Iterator[tuple[str, str]]]:
    """By kind, well-formed tokens that are not authentic, each with the reason to refuse it.
    Whoever wrote them has made the checksum anew, so the store has to be asked."""
    dice = random.Random(seed)

    def wrong_secrets() -> Iterator[tuple[str, str]]:
        for token in itertools.cycle(tokens):
            session_id, secret = unspell(token)
            flipped = int.from_bytes(secret) ^ 1 << dice.randrange(256)
            yield spell(session_id, flipped.to_bytes(32)), "wrong_secret"

    def swapped() -> Iterator[tuple[str, str]]:
        for first, second in itertools.cycle(itertools.permutations(tokens, 2)):
            yield spell(unspell(first)[0], unspell(second)[1]), "wrong_secret"

    def lengths() -> Iterator[tuple[str, str]]:
        for token in itertools.cycle(tokens):
            session_id, secret = unspell(token)
            length = dice.choice([n for n in range(16, 256) if n != 32])
            yield spell(session_id, (secret * 8)[:length]), "wrong_secret"

    def other_ids() -> Iterator[tuple[str, str]]:
        for token in itertools.cycle(tokens):
            session_id, secret = unspell(token)
            yield spell(UUID(int=session_id.int ^ 1 << dice.randrange(128)), secret), "unknown"

    return {
        "another secret, checksum made anew": wrong_secrets(),
        "the secret of another session": swapped(),
        "a secret of another length": lengths(),
        "another id, checksum made anew": other_ids(),
        "tokens of nobody": ((token, "unknown") for token in _fresh(dice)),
    }
