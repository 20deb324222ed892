"""Token, peppers and key hash, by themselves."""

from __future__ import annotations

import hmac
import re
import warnings
from base64 import urlsafe_b64encode
from uuid import UUID
from zlib import crc32

from argon2.low_level import Type, hash_secret_raw
from hypothesis import given
from hypothesis import strategies as st

from coatcheck import Record, Secret
from coatcheck._credentials.argon2id import Argon2Cost
from coatcheck._credentials.hashes import KeyHasher, Verdict
from coatcheck._credentials.peppers import Pepper, open_keyring
from coatcheck._credentials.tokens import TokenFormat
from coatcheck._credentials.uuid7 import uuid7, uuid_from_bytes

PHRASE = b"a pepper for tests of thirty-two bytes and more"
PEPPER = Pepper(Secret(PHRASE))
KEYRING = open_keyring(Secret(PHRASE.decode()), [Secret("an older pepper, also of some length")])
# The regular expression that the security page publishes, for the default prefix and length.
PUBLISHED = re.compile(r"cck_[A-Za-z0-9_-]{69}[AQgw]")


@given(st.binary(max_size=300))
def test_the_digest_is_hmac_sha256_under_the_stretched_key(message: bytes) -> None:
    key = (
        hash_secret_raw(PHRASE, b"coatcheck pepper v1", 2, 19456, 1, 32, Type.ID)
        if not _KEY
        else _KEY[0]
    )
    _KEY[:] = [key]
    assert PEPPER.digest(message) == hmac.digest(key, message, "sha256")


_KEY: list[bytes] = []


@given(
    st.uuids(),
    st.binary(min_size=16, max_size=255),
    st.from_regex("[a-z][a-z0-9]{1,15}", fullmatch=True),
)
def test_a_token_is_what_the_design_says_and_reads_back(
    session_id: UUID, secret: bytes, prefix: str
) -> None:
    token = TokenFormat(prefix).write(session_id, Secret(secret))
    facts = session_id.bytes + secret
    checksum = crc32(prefix.encode() + facts).to_bytes(4, "big")
    assert token == f"{prefix}_{urlsafe_b64encode(facts + checksum).decode().rstrip('=')}"
    assert len(token) <= 512
    read = TokenFormat(prefix).read(Secret(token))
    assert read is not None
    assert (read[0], read[1].reveal()) == (session_id, secret)


@given(st.uuids(), st.binary(min_size=32, max_size=32))
def test_the_published_expression_finds_every_default_token(
    session_id: UUID, secret: bytes
) -> None:
    assert PUBLISHED.fullmatch(TokenFormat("cck").write(session_id, Secret(secret)))


@given(st.integers(0, 2**48 - 1))
def test_ids_are_version_7_and_carry_the_instant(now: int) -> None:
    made = uuid7(now)
    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert made.int >> 80 == now


@given(st.integers(-(2**60), 2**60))
def test_an_id_is_made_at_any_instant(now: int) -> None:
    assert uuid7(now).version == 7


@given(st.binary(min_size=16, max_size=16))
def test_the_quick_uuid_is_a_uuid(sixteen: bytes) -> None:
    quick = uuid_from_bytes(sixteen)
    assert quick == UUID(bytes=sixteen)
    assert hash(quick) == hash(UUID(bytes=sixteen))
    assert quick.is_safe is UUID(bytes=sixteen).is_safe


def _record(hasher: KeyHasher, session_id: UUID, user_id: str, secret: bytes) -> Record:
    key_hash = hasher.hash(session_id, user_id, Secret(secret))
    return Record(
        session_id, user_id, "m", frozenset(), "{}", 0, 0, None, None, key_hash, hasher.pepper_id
    )


COST = Argon2Cost(8, 1, 1)


@given(st.uuids(), st.text(min_size=1, max_size=20), st.binary(min_size=16, max_size=64),
       st.sampled_from([None, COST]), st.integers(8, 64))  # fmt: skip
def test_a_hash_verifies_its_own_secret_and_no_other(
    session_id: UUID, user_id: str, secret: bytes, cost: Argon2Cost | None, salt_length: int
) -> None:
    hasher = KeyHasher(KEYRING, salt_length, cost)
    record = _record(hasher, session_id, user_id, secret)

    def verdict(record: Record, secret: bytes) -> Verdict:
        first = hasher.verify(record, Secret(secret))
        return hasher.verify_slowly(record, Secret(secret)) if first is Verdict.SLOW else first

    assert verdict(record, secret) is Verdict.MATCHES
    assert verdict(record, secret + b"\0") is Verdict.WRONG
    assert verdict(record, secret[:-1] + bytes([secret[-1] ^ 1])) is Verdict.WRONG
    other = session_id.bytes[:-1] + bytes([session_id.bytes[-1] ^ 1])
    assert verdict(record._replace(id=UUID(bytes=other)), secret) is Verdict.WRONG
    assert verdict(record._replace(user_id=user_id + "x"), secret) is Verdict.WRONG
    assert record.key_hash != _record(hasher, session_id, user_id, secret).key_hash


def test_an_argon2_that_was_verified_once_is_not_paid_for_again() -> None:
    hasher = KeyHasher(KEYRING, 16, COST)
    record = _record(hasher, UUID(int=7), "u", b"s" * 32)
    assert hasher.verify(record, Secret(b"s" * 32)) is Verdict.SLOW
    assert hasher.verify_slowly(record, Secret(b"s" * 32)) is Verdict.MATCHES
    assert hasher.verify(record, Secret(b"s" * 32)) is Verdict.MATCHES
    assert hasher.verify(record, Secret(b"t" * 32)) is Verdict.SLOW


def test_an_unknown_pepper_is_told_apart() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stranger = open_keyring(Secret("a pepper that nobody else has configured"), [])
    for cost in (None, COST):
        record = _record(KeyHasher(stranger, 16, cost), UUID(int=7), "u", b"s" * 32)
        verdict = KeyHasher(KEYRING, 16, None).verify(record, Secret(b"s" * 32))
        assert verdict is Verdict.UNKNOWN_PEPPER
