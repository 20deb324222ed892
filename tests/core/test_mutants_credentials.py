"""What mutation testing found that no other test held: bounds and constants of the credentials."""

from __future__ import annotations

import hmac
import os
import warnings
from base64 import b64encode, urlsafe_b64encode
from contextlib import suppress
from typing import Any
from uuid import UUID
from zlib import crc32

import pytest
from argon2.low_level import Type, hash_secret_raw

from coatcheck import BackendError, BackendUnavailable, ConfigError, Record, Secret
from coatcheck._credentials import argon2id
from coatcheck._credentials.argon2id import Argon2Cost, Argon2id, VerifiedHashes
from coatcheck._credentials.hashes import KeyHasher, Verdict
from coatcheck._credentials.peppers import Pepper, open_keyring
from coatcheck._credentials.tokens import TokenFormat, new_secret
from coatcheck._credentials.uuid7 import uuid7

OLD, NEW = (f"the {which} pepper of these tests, long enough" for which in ("old", "new"))
ID = UUID("01234567-89ab-7def-8123-456789abcdef")
SECRET = bytes(range(32))
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
FORMAT = TokenFormat("cck")
COST = Argon2Cost(8, 1, 1)


def read(token: str) -> tuple[UUID, bytes] | None:
    named = FORMAT.read(Secret(token))
    return None if named is None else (named[0], named[1].reveal())


def spelled(secret: bytes) -> str:
    """A token with a right checksum, whatever the length of its secret."""
    facts = ID.bytes + secret
    checksum = crc32(b"cck" + facts).to_bytes(4, "big")
    return "cck_" + urlsafe_b64encode(facts + checksum).decode().rstrip("=")


@pytest.mark.parametrize("length", range(256))
def test_a_token_carries_from_16_to_255_bytes_of_secret(length: int) -> None:
    secret = os.urandom(length)
    token = spelled(secret)
    assert read(token) == (None if length < 16 else (ID, secret))
    assert read(token[:-1]) is None
    assert read(token + "A") is None


def test_a_token_of_a_secret_that_is_too_long_is_refused() -> None:
    assert read(spelled(bytes(255))) == (ID, bytes(255))
    assert [read(spelled(bytes(length))) for length in (256, 257, 258, 300)] == [None] * 4


@pytest.mark.parametrize("length", [16, 17, 18, 32])
def test_each_token_has_one_spelling(length: int) -> None:
    token = spelled(bytes(length))
    others = [token[:-1] + last for last in ALPHABET if last != token[-1]]
    assert [read(other) for other in others] == [None] * 63
    for padding in ("=", "=="):
        assert read(token + padding) is None
    for other in "+/=!é\0\n ":
        assert read(token[:-5] + other + token[-4:]) is None
        for number in (1, 2, 3, 4):
            assert read(token[:-5] + other * number + token[-5:]) is None


def test_every_last_character_that_can_stand_there_is_read() -> None:
    """By the length modulo 4, as many characters end a token as the last byte leaves bits for."""
    ends: dict[int, set[str]] = {0: set(), 2: set(), 3: set()}
    for number in range(6000):
        secret = number.to_bytes(16 + number % 3, "big")
        token = spelled(secret)
        assert read(token) == (ID, secret)
        ends[(len(token) - len("cck_")) % 4].add(token[-1])
    assert {rest: len(found) for rest, found in ends.items()} == {0: 64, 2: 4, 3: 16}


def test_a_new_secret_is_as_long_as_asked_for_and_never_the_same() -> None:
    assert [len(new_secret(length).reveal()) for length in (16, 32, 255)] == [16, 32, 255]
    assert len({new_secret(16).reveal() for _ in range(100)}) == 100


def test_an_id_holds_74_random_bits_and_its_clock_within_48(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []

    def ones(length: int) -> bytes:
        asked.append(length)
        return b"\xff" * length

    monkeypatch.setattr(os, "urandom", ones)
    last = 2**48 - 1
    stamped = {-(2**60): 0, -1: 0, 0: 0, 1: 1, last - 1: last - 1, last: last, 2**48: last}
    made = [uuid7(now) for now in stamped]
    monkeypatch.undo()
    assert [str(i) for i in made] == [
        f"{at >> 16:08x}-{at & 0xFFFF:04x}-7fff-bfff-ffffffffffff" for at in stamped.values()
    ]
    assert set(asked) == {10}


def test_a_key_is_stretched_once_and_known_by_sixteen_hexadecimal_digits() -> None:
    key = hash_secret_raw(NEW.encode(), b"coatcheck pepper v1", 2, 19 * 1024, 1, 32, Type.ID)
    pepper = Pepper(Secret(NEW.encode()))
    assert pepper.id == hmac.digest(key, b"coatcheck pepper id v1", "sha256")[:8].hex()
    for length in (0, 1, 55, 56, 63, 64, 65, 200):
        assert pepper.digest(bytes(length)) == hmac.digest(key, bytes(length), "sha256")


def test_a_pepper_has_ten_characters_and_is_warned_of_below_32_bytes() -> None:
    with pytest.raises(ConfigError, match="pepper must have at least 10 characters"):
        open_keyring(Secret("123456789"), [])
    for short in ("1234567890", "x" * 31, "é" * 15 + "x"):
        with pytest.warns(UserWarning, match="pepper is shorter than 32 bytes"):
            open_keyring(Secret(short), [])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_keyring(Secret("x" * 32), [Secret("é" * 16)])


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (None, "is not set"),
        ("", "is not set"),
        (b"bytes of a good length, more than 32", "must be a str, not bytes"),
        ("a lone surrogate \ud800 in what is long enough", "lone surrogate"),
    ],
)
def test_what_is_wrong_with_a_pepper_is_said(given: object, problem: str) -> None:
    with pytest.raises(ConfigError, match=rf"^pepper {problem}|^pepper holds a {problem}"):
        open_keyring(Secret(given), [])
    with pytest.raises(ConfigError, match=rf"^fallback_peppers\[1\] (holds a )?{problem}"):
        open_keyring(Secret(NEW), [Secret(OLD), Secret(given)])


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ((NEW, NEW), r"fallback_peppers\[0\] is the same pepper as pepper"),
        ((NEW, OLD, NEW), r"fallback_peppers\[1\] is the same pepper as pepper"),
        ((NEW, OLD, OLD), r"fallback_peppers\[1\] is the same pepper as fallback_peppers\[0\]"),
    ],
)
def test_a_pepper_that_is_there_twice_is_refused(chosen: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        open_keyring(Secret(chosen[0]), [Secret(pepper) for pepper in chosen[1:]])


RING = open_keyring(Secret(NEW), [Secret(OLD)])


def test_peppers_are_placed_in_their_order() -> None:
    assert [RING.places[pepper.id] for pepper in RING.by_id.values()] == [0, 1]
    assert RING.by_id[RING.first.id] is RING.first
    assert RING.places[RING.first.id] == 0


def message(user: bytes, salt: bytes) -> bytes:
    """As the security page has it: each part after its length in two bytes."""
    parts = (b"coatcheck key hash v1", ID.bytes, user, salt, SECRET)
    tag, session, *rest = parts
    lengths = b"".join(len(part).to_bytes(2, "big") for part in rest)
    head = len(tag).to_bytes(2, "big") + tag + len(session).to_bytes(2, "big") + session
    return head + lengths + b"".join(rest)


def encoded(value: bytes) -> str:
    return b64encode(value).decode().rstrip("=")


def stored(key_hash: str) -> Record:
    return Record(ID, "usér", "m", frozenset(), "{}", 0, 0, None, None, key_hash, "")


def fast(pepper: Pepper, salt: str) -> str:
    digest = pepper.digest(message("usér".encode(), salt.encode()))
    return f"$hmac-sha256$v=1$keyid={pepper.id}${salt}${encoded(digest)}"


def slow(pepper: Pepper, salt: str, cost: Argon2Cost) -> str:
    digest = hash_secret_raw(
        pepper.digest(message("usér".encode(), salt.encode())),
        salt.encode(), cost.time_cost, cost.memory_kib, cost.parallelism, 32, Type.ID,
    )  # fmt: skip
    parameters = f"m={cost.memory_kib},t={cost.time_cost},p={cost.parallelism}"
    return f"$argon2id$v=19${parameters},keyid={pepper.id}${salt}${encoded(digest)}"


def verdict(hasher: KeyHasher, key_hash: str, secret: bytes = SECRET) -> Verdict:
    first = hasher.verify(stored(key_hash), Secret(secret))
    if first is Verdict.SLOW:
        return hasher.verify_slowly(stored(key_hash), Secret(secret))
    return first


@pytest.mark.parametrize("length", range(8, 65))
def test_a_new_hash_has_a_fresh_salt_of_its_length_and_is_of_today(length: int) -> None:
    hasher = KeyHasher(RING, length, None)
    made = [hasher.hash(ID, "usér", Secret(SECRET)) for _ in range(2)]
    salts = [key_hash.split("$")[4] for key_hash in made]
    assert [len(salt) for salt in salts] == [len(encoded(bytes(length)))] * 2
    assert salts[0] != salts[1]
    assert made == [fast(RING.first, salt) for salt in salts]
    assert verdict(hasher, made[0]) is Verdict.MATCHES
    for other in (length - 1, length + 1):
        assert verdict(hasher, fast(RING.first, "A" * len(encoded(bytes(other))))) is (
            Verdict.OUTDATED
        )


def test_a_hash_under_argon2id_is_as_published_and_of_today_under_its_own_cost_alone() -> None:
    hasher = KeyHasher(RING, 16, COST)
    made = hasher.hash(ID, "usér", Secret(SECRET))
    assert made == slow(RING.first, made.split("$")[4], COST)
    assert hasher.is_slow is True
    assert hasher.pepper_id == RING.first.id
    assert verdict(hasher, made) is Verdict.MATCHES
    salt = encoded(bytes(16))
    for outdated in (
        fast(RING.first, salt),
        slow(RING.first, salt, Argon2Cost(9, 1, 1)),
        slow(RING.first, salt, Argon2Cost(8, 2, 1)),
        slow(RING.first, encoded(bytes(17)), COST),
        slow(RING.first, encoded(bytes(15)), COST),
        slow(RING.by_id[_old()], salt, COST),
    ):
        assert verdict(hasher, outdated) is Verdict.OUTDATED
        assert verdict(hasher, outdated) is Verdict.OUTDATED  # the second time, remembered
        assert verdict(hasher, outdated, SECRET[:-1] + b"x") is Verdict.WRONG
    assert verdict(KeyHasher(RING, 16, None), made) is Verdict.OUTDATED
    assert KeyHasher(RING, 16, None).is_slow is False


def _old() -> str:
    return next(pepper_id for pepper_id, place in RING.places.items() if place == 1)


def test_a_hash_under_a_fallback_is_outdated() -> None:
    hasher = KeyHasher(RING, 16, None)
    assert verdict(hasher, fast(RING.by_id[_old()], encoded(bytes(16)))) is Verdict.OUTDATED
    assert verdict(hasher, fast(RING.by_id[_old()], encoded(bytes(12)))) is Verdict.OUTDATED


def test_one_changed_character_of_a_fast_hash_is_never_a_match() -> None:
    hasher = KeyHasher(RING, 16, None)
    good = hasher.hash(ID, "usér", Secret(SECRET))
    for place, character in enumerate(good):
        for other in "$A/=x9" + chr(ord(character) ^ 1):
            if other == character:
                continue
            changed = good[:place] + other + good[place + 1 :]
            with suppress(BackendError):
                assert verdict(hasher, changed) in (Verdict.WRONG, Verdict.UNKNOWN_PEPPER)


SALT, DIGEST = encoded(bytes(16)), encoded(bytes(32))


def phc(parameters: str, salt: str = SALT, digest: str = DIGEST, keyid: str = "0" * 16) -> str:
    return f"$argon2id$v=19${parameters},keyid={keyid}${salt}${digest}"


@pytest.mark.parametrize(
    "key_hash",
    [
        "",
        "\ud800" * 80,
        phc("m=8,t=1,p=1") + "\n",
        phc("m=8,t=1,p=1", salt="A" * 10),
        phc("m=8,t=1,p=1", salt="A" * 87),
        phc("m=8,t=1,p=1", digest="A" * 42),
        phc("m=8,t=1,p=1", digest="A" * 44),
        phc("m=8,t=1,p=1", keyid="0" * 15),
        phc("m=8,t=1,p=1", keyid="0" * 17),
        phc("m=0,t=1,p=1"),
        phc("m=08,t=1,p=1"),
        phc("m=8,t=0,p=1"),
        phc("m=8,t=100,p=1"),
        phc("m=7,t=1,p=1"),
        phc("m=15,t=1,p=2"),
        phc(f"m={2**22 + 1},t=1,p=1"),
        phc("m=9999999,t=1,p=1"),
    ],
)
def test_what_is_no_key_hash_is_an_error_that_names_the_session(key_hash: str) -> None:
    with pytest.raises(BackendError, match=rf"^session {ID}: .* \(key_hash\)$"):
        KeyHasher(RING, 16, None).verify(stored(key_hash), Secret(SECRET))


@pytest.mark.parametrize(
    "key_hash",
    [
        phc("m=8,t=1,p=1"),
        phc("m=16,t=99,p=2"),
        phc(f"m={2**22},t=1,p=99"),
        phc("m=8,t=1,p=1", salt="A" * 11),
        phc("m=8,t=1,p=1", salt="A" * 86),
        f"$hmac-sha256$v=1$keyid={'0' * 16}${SALT}${DIGEST}",
    ],
)
def test_a_key_hash_under_an_unknown_pepper_is_told_apart(key_hash: str) -> None:
    hasher = KeyHasher(RING, 16, None)
    assert hasher.verify(stored(key_hash), Secret(SECRET)) is Verdict.UNKNOWN_PEPPER
    assert hasher.verify_slowly(stored(key_hash), Secret(SECRET)) is Verdict.UNKNOWN_PEPPER


def test_a_head_of_ours_over_something_else_never_matches() -> None:
    hasher = KeyHasher(RING, 16, None)
    head = f"$hmac-sha256$v=1$keyid={RING.first.id}$"
    for rest in ("", "x", "é" * 60, DIGEST, f"${DIGEST}"):
        assert hasher.verify(stored(head + rest), Secret(SECRET)) is Verdict.WRONG
    with pytest.raises(BackendError, match="key_hash"):
        hasher.verify(stored(head + "\udfff"), Secret(SECRET))


def test_an_unknown_id_costs_a_digest_and_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    digest = Pepper.digest
    monkeypatch.setattr(Pepper, "digest", lambda self, m: asked.append(m) or digest(self, m))
    KeyHasher(RING, 16, None).spend(ID, Secret(SECRET))
    assert asked == [message(b"", b"")]


@pytest.mark.parametrize(
    ("cost", "possible"),
    [
        ((8, 1, 1), True),
        ((7, 1, 1), False),
        ((9, 1, 1), True),
        ((16, 1, 2), True),
        ((15, 1, 2), False),
        ((2**22, 1, 1), True),
        ((2**22 + 1, 1, 1), False),
    ],
)
def test_costs_are_bounded(cost: tuple[int, int, int], possible: bool) -> None:
    assert Argon2Cost(*cost).is_possible is possible
    assert str(Argon2Cost(8, 2, 1)) == "m=8,t=2,p=1"


def test_two_argon2_run_at_once_and_a_third_waits_no_longer_than_it_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    computer = Argon2id()
    monkeypatch.setattr(argon2id, "remaining", lambda: 0.0)
    nested: list[Any] = []

    def third_while_two_run(*given: object, **options: object) -> bytes:
        nested.append(None)
        return computer.digest(Secret(b"secret"), b"salt of eight", COST)

    monkeypatch.setattr("argon2.low_level.hash_secret_raw", third_while_two_run)
    with pytest.raises(BackendUnavailable, match="no turn"):
        computer.digest(Secret(b"secret"), b"salt of eight", COST)
    assert len(nested) == 2
    monkeypatch.undo()
    for _ in range(3):  # every turn was given back
        assert len(computer.digest(Secret(b"secret"), b"salt of eight", COST)) == 32


def test_an_argon2_that_finds_no_memory_gives_its_turn_back() -> None:
    computer = Argon2id()
    for _ in range(3):
        with pytest.raises(BackendUnavailable, match="no memory"):
            computer.digest(Secret(b"secret"), b"short", COST)


def test_what_was_verified_is_forgotten_from_the_least_recently_used_on() -> None:
    verified = VerifiedHashes()
    assert len(verified._key.reveal()) == 32
    marks = [verified.mark(f"hash {n}", b"digest") for n in range(16_386)]
    assert len(set(marks)) == len(marks)
    assert {len(mark) for mark in marks} == {32}
    assert verified.mark("hash 0", b"another") != marks[0]
    assert VerifiedHashes().mark("hash 0", b"digest") != marks[0]
    for mark in marks[:16_384]:
        verified.add(mark)
    assert all(verified.knows(mark) for mark in (marks[1], marks[0]))
    assert not verified.knows(marks[16_384])
    verified.add(marks[16_384])
    assert [verified.knows(marks[n]) for n in (0, 1, 2, 3)] == [True, True, False, True]
    verified.add(marks[16_385])
    assert [verified.knows(marks[n]) for n in (3, 4, 5)] == [True, False, True]
    verified.after_fork()
    assert not verified.knows(marks[0])
