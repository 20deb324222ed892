"""The key hash: what the store keeps of a token's secret, as a PHC string.

    $hmac-sha256$v=1$keyid=<pepper id>$<salt>$<digest>
    $argon2id$v=19$m=<KiB>,t=<passes>,p=<lanes>,keyid=<pepper id>$<salt>$<digest>

Both begin with HMAC-SHA-256 under the pepper's key over a domain tag, the session
id, the user id, the salt (its characters, as they stand in the string) and the
secret. The secret has at least 128 bits of entropy, so nothing slower is needed;
`argon2id` puts that HMAC through Argon2id (RFC 9106) for those whose rules demand it.
The PHC format: https://github.com/P-H-C/phc-string-format.
"""

from __future__ import annotations

import os
import re
from binascii import b2a_base64
from enum import Enum
from hmac import compare_digest
from struct import Struct
from typing import NamedTuple
from uuid import UUID

from .._contract.records import Record
from .._errors import BackendError
from .._secret import Secret
from .argon2id import Argon2Cost, Argon2id, VerifiedHashes
from .peppers import Keyring, Pepper

_TAG = b"coatcheck key hash v1"
_HEAD = len(_TAG).to_bytes(2) + _TAG + (16).to_bytes(2)
_with_lengths = Struct(f">{len(_HEAD)}s16sHHH").pack
_PEPPER_ID_LENGTH = 16
_DIGEST_LENGTH = 43  # 32 bytes in base64 without padding
_FAST_HEAD = "$hmac-sha256$v=1$keyid="
_FAST_HEAD_LENGTH = len(_FAST_HEAD) + _PEPPER_ID_LENGTH + 1

_PHC = re.compile(
    r"\$(?:hmac-sha256\$v=1\$"
    r"|argon2id\$v=19\$m=(?P<memory>[1-9][0-9]{0,6}),t=(?P<passes>[1-9][0-9]?),"
    r"p=(?P<lanes>[1-9][0-9]?),)"
    rf"keyid=(?P<pepper_id>[0-9a-f]{{{_PEPPER_ID_LENGTH}}})"
    rf"\$(?P<salt>[A-Za-z0-9+/]{{11,86}})\$(?P<digest>[A-Za-z0-9+/]{{{_DIGEST_LENGTH}}})"
)


class Verdict(Enum):
    """What a stored hash says of a secret."""

    MATCHES = "matches"
    OUTDATED = "outdated"
    """Matches, and was made with another pepper, scheme, cost or salt length than today's."""
    WRONG = "wrong"
    UNKNOWN_PEPPER = "unknown pepper"
    SLOW = "slow"
    """Only `verify_slowly` can tell, off the event loop."""


_MATCHES = Verdict.MATCHES  # on Python 3.11 the look-up in an enum costs as much as a call


class _Stored(NamedTuple):
    """A key hash, read."""

    cost: Argon2Cost | None
    pepper: Pepper | None
    salt: str
    digest: str


class KeyHasher:
    """Makes key hashes under the first pepper, and verifies those of every pepper.

    :param salt_length: bytes of the salts of new hashes.
    :param cost: `None` for the scheme `hmac-sha256`, or that of `argon2id`.
    """

    __slots__ = (
        "_argon2id",
        "_cost",
        "_encoded_salt_length",
        "_fast_length_of_today",
        "_first",
        "_keyring",
        "_pepper_by_head",
        "_salt_length",
        "_verified",
    )

    def __init__(self, keyring: Keyring, salt_length: int, cost: Argon2Cost | None) -> None:
        self._keyring = keyring
        self._first = keyring.first
        self._salt_length = salt_length
        self._encoded_salt_length = (salt_length * 4 + 2) // 3
        self._cost = cost
        # No fast hash is as long as 0, so that under argon2id every one is outdated.
        fast_length = _FAST_HEAD_LENGTH + self._encoded_salt_length + 1 + _DIGEST_LENGTH
        self._fast_length_of_today = fast_length if cost is None else 0
        self._argon2id = Argon2id()
        self._verified = VerifiedHashes()
        # One look-up by the head of the string finds the scheme and the pepper at once.
        self._pepper_by_head = {
            f"{_FAST_HEAD}{pepper_id}$": pepper for pepper_id, pepper in keyring.by_id.items()
        }

    @property
    def is_slow(self) -> bool:
        """Whether a new hash takes an Argon2, which must not run on an event loop."""
        return self._cost is not None

    @property
    def pepper_id(self) -> str:
        """The id of the pepper under which new hashes are made."""
        return self._first.id

    def hash(self, session_id: UUID, user_id: str, secret: Secret[bytes]) -> str:
        """A key hash under the first pepper and a fresh salt."""
        pepper, cost = self._first, self._cost
        salt = _encode(os.urandom(self._salt_length))
        digest = pepper.digest(_message(session_id, user_id, salt.encode(), secret))
        if cost is None:
            return f"{_FAST_HEAD}{pepper.id}${salt}${_encode(digest)}"
        digest = self._argon2id.digest(Secret(digest), salt.encode(), cost)
        return f"$argon2id$v=19${cost},keyid={pepper.id}${salt}${_encode(digest)}"

    def verify(self, record: Record, secret: Secret[bytes]) -> Verdict:
        """Whether the secret is this session's own, compared in constant time.

        Raises `BackendError`, naming the session, for a stored string that is no key hash.
        """
        key_hash = record.key_hash
        pepper = self._pepper_by_head.get(key_hash[:_FAST_HEAD_LENGTH])
        try:
            if pepper is None:
                return self._verify_others(record, secret)
            encoded = key_hash.encode()
            salt = encoded[_FAST_HEAD_LENGTH : -_DIGEST_LENGTH - 1]
            digest = pepper.digest(_message(record.id, record.user_id, salt, secret))
            # With the separator before it: what stands elsewhere is no digest.
            expected = b"$" + b2a_base64(digest, newline=False)[:_DIGEST_LENGTH]
            if not compare_digest(expected, encoded[-_DIGEST_LENGTH - 1 :]):
                return Verdict.WRONG
            if pepper is self._first and len(key_hash) == self._fast_length_of_today:
                return _MATCHES
        except UnicodeEncodeError:
            pass  # A lone surrogate. Raised below, since this exception holds the text.
        else:
            return Verdict.OUTDATED
        raise _unreadable(record)

    def verify_slowly(self, record: Record, secret: Secret[bytes]) -> Verdict:
        """The same for a hash of which `verify` said `SLOW`. Takes an Argon2."""
        stored = _read(record, self._keyring)
        if stored.pepper is None or stored.cost is None:
            return Verdict.UNKNOWN_PEPPER
        message = Secret(_message(record.id, record.user_id, stored.salt.encode(), secret))
        fast = Secret(stored.pepper.digest(message.reveal()))
        digest = self._argon2id.digest(fast, stored.salt.encode(), stored.cost)
        if not compare_digest(_encode(digest), stored.digest):
            return Verdict.WRONG
        self._verified.add(self._verified.mark(record.key_hash, fast.reveal()))
        return self._age(stored.pepper, stored.cost, stored.salt)

    def spend(self, session_id: UUID, secret: Secret[bytes]) -> None:
        """The work of one fast verification, so that an unknown id answers no sooner."""
        message = _message(session_id, "", b"", secret)
        compare_digest(self._first.digest(message), message[:32])

    def _verify_others(self, record: Record, secret: Secret[bytes]) -> Verdict:
        stored = _read(record, self._keyring)
        if stored.pepper is None or stored.cost is None:
            return Verdict.UNKNOWN_PEPPER
        fast = stored.pepper.digest(
            _message(record.id, record.user_id, stored.salt.encode(), secret)
        )
        if self._verified.knows(self._verified.mark(record.key_hash, fast)):
            return self._age(stored.pepper, stored.cost, stored.salt)
        return Verdict.SLOW

    def _age(self, pepper: Pepper, cost: Argon2Cost | None, salt: str) -> Verdict:
        today = (
            pepper is self._first and cost == self._cost and len(salt) == self._encoded_salt_length
        )
        return Verdict.MATCHES if today else Verdict.OUTDATED


def _read(record: Record, keyring: Keyring) -> _Stored:
    match = _PHC.fullmatch(record.key_hash)
    if match is None:
        raise _unreadable(record)
    memory, passes, lanes, pepper_id, salt, digest = match.groups()
    cost = None if memory is None else Argon2Cost(int(memory), int(passes), int(lanes))
    if cost is not None and not cost.is_possible:
        raise _unreadable(record)
    return _Stored(cost, keyring.by_id.get(pepper_id), salt, digest)


def _unreadable(record: Record) -> BackendError:
    return BackendError(f"session {record.id}: the stored row cannot be read (key_hash)")


def _message(session_id: UUID, user_id: str, salt: bytes, secret: Secret[bytes]) -> bytes:
    """What the HMAC is taken over: tag, id, user, salt and secret, and the length of each
    before them, so that no two sets of parts give the same bytes. The salt enters by its
    characters: flip one, even in bits that base64 ignores, and the digest is another."""
    user, key = user_id.encode(), secret.reveal()
    head = _with_lengths(_HEAD, session_id.bytes, len(user), len(salt), len(key))
    return head + user + salt + key


def _encode(value: bytes) -> str:
    """Base64 without padding, as PHC strings have it."""
    return b2a_base64(value, newline=False).rstrip(b"=").decode()
