"""Cores whose peppers, hashes or tokens are a little too trusting."""

from __future__ import annotations

import base64
import unicodedata
import zlib
from hashlib import sha256
from typing import Any
from unittest.mock import patch
from uuid import UUID

from coatcheck import Secret
from coatcheck._credentials import hashes, peppers, tokens
from coatcheck._flows import validate
from coatcheck._flows.steps import Ask
from coatcheck_backends.memory import MemoryBackend

from .declaring import broken_core, broken_store

HASHER = "coatcheck._credentials.hashes.KeyHasher"
VALIDATE = "coatcheck._flows.validate.validate"
READ = "coatcheck._credentials.tokens.TokenFormat.read"
_keyring, _message = peppers.Keyring.__init__, hashes._message
_verify, _read, _hash = hashes.KeyHasher.verify, tokens.TokenFormat.read, hashes.KeyHasher.hash
_validate, _digest = validate.validate, peppers.Pepper.digest

# Law 10


def _keyring_of(chosen: Any, first: Any = lambda peppers: peppers[0]) -> Any:
    def make(keyring: Any, given: Any) -> None:
        _keyring(keyring, given)
        keyring.by_id = {pepper.id: pepper for pepper in chosen(list(given))}
        keyring.first = first(list(given))

    return make


KEYRING = "coatcheck._credentials.peppers.Keyring.__init__"
broken_core({1, 8, 10, 11, 16}, "fallbacks are ignored", KEYRING)(
    _keyring_of(lambda given: given[:1])
)
broken_core({10}, "only the first fallback is tried", KEYRING)(_keyring_of(lambda given: given[:2]))
broken_core({1, 8, 10, 11, 16}, "the last fallback is not tried", KEYRING)(
    _keyring_of(lambda given: given[:-1] or given)
)
broken_core({8, 10, 11, 16}, "new hashes are made under the oldest pepper", KEYRING)(
    _keyring_of(lambda given: given, lambda given: given[-1])
)


@broken_core({8, 10, 16}, "an old hash is never rewritten", "coatcheck._flows.validate._rewrite")
def _no_rewrite(core: Any, record: Any, secret: Any) -> Any:
    return record
    yield


@broken_core(
    {8, 10, 16}, "a rewrite only tells of the new pepper", "coatcheck._flows.validate._rewrite"
)
def _told_rewrite(core: Any, record: Any, secret: Any) -> Any:
    return record._replace(pepper_id=core.config.hasher.pepper_id)
    yield


@broken_core(
    {8, 10, 16, 18}, "a rewrite stays under the old pepper", "coatcheck._flows.validate._rewrite"
)
def _old_rewrite(core: Any, record: Any, secret: Any) -> Any:
    old = core.config.keyring.by_id[record.pepper_id]
    new = hashes.KeyHasher(peppers.Keyring([old]), 16, None)
    key_hash = new.hash(record.id, record.user_id, secret)
    yield Ask("replace_key_hash", (record.id, record.key_hash, key_hash, old.id))
    return record._replace(key_hash=key_hash)


@broken_store({8, 10}, "a rewrite leaves the pepper's id as it was")
class OldPepperId(MemoryBackend):
    def replace_key_hash(self, session_id: UUID, old: str, new: str, pepper_id: str) -> bool:
        record = self._records[session_id]
        return super().replace_key_hash(session_id, old, new, record.pepper_id)


@broken_store({10}, "a rewrite is not guarded by the old hash")
class UnguardedRewrite(MemoryBackend):
    def replace_key_hash(self, session_id: UUID, old: str, new: str, pepper_id: str) -> bool:
        record = self._records.get(session_id)
        return record is not None and super().replace_key_hash(
            session_id, record.key_hash, new, pepper_id
        )


@broken_core({10, 16}, "another length of the salt signs out", f"{HASHER}.verify")
def _salt_length_matters(hasher: Any, record: Any, secret: Any) -> Any:
    if len(record.key_hash.split("$")[-2]) != hasher._encoded_salt_length:
        return hashes.Verdict.WRONG
    return _verify(hasher, record, secret)


@broken_core({10, 16}, "another hash scheme signs out", f"{HASHER}.verify")
def _scheme_matters(hasher: Any, record: Any, secret: Any) -> Any:
    if record.key_hash.startswith("$argon2id$") is not hasher.is_slow:
        return hashes.Verdict.WRONG
    return _verify(hasher, record, secret)


@broken_core({4, 10, 12}, "another length of the secret signs out", VALIDATE)
def _secret_length_matters(core: Any, now: int, token: Any, touch: bool) -> Any:
    named = core.config.tokens.read(token)
    if named is not None and len(named[1].reveal()) != core.config.secret_length:
        token = Secret("not a token")
    return (yield from _validate(core, now, token, touch))


@broken_core({4, 10, 16}, "a rewrite without touch", VALIDATE)
def _rewrites_always(core: Any, now: int, token: Any, touch: bool) -> Any:
    answer = yield from _validate(core, now, token, touch)
    if answer and answer.pepper_id != core.config.hasher.pepper_id:
        return (yield from _validate(core, now, token, True))
    return answer


@broken_core({10}, "an unknown pepper is called a wrong secret", f"{HASHER}.verify")
def _unknown_is_wrong(hasher: Any, record: Any, secret: Any) -> Any:
    verdict = _verify(hasher, record, secret)
    return hashes.Verdict.WRONG if verdict is hashes.Verdict.UNKNOWN_PEPPER else verdict


# Law 11


def _message_without(place: int) -> Any:
    def message(*parts: Any) -> bytes:
        kept = list(parts)
        part = kept[place]
        kept[place] = UUID(int=0) if isinstance(part, UUID) else type(part)()
        return _message(*kept)

    return message


def _message_without_secret(*parts: Any) -> bytes:
    return _message(*parts[:-1], Secret(b""))


MESSAGE = "coatcheck._credentials.hashes._message"
broken_core({11}, "the hash is not bound to the id", MESSAGE)(_message_without(0))
broken_core({11, 16}, "the hash is not bound to the user", MESSAGE)(_message_without(1))
broken_core({11}, "the salt is not hashed", MESSAGE)(_message_without(2))
broken_core({4, 11, 12}, "the secret is not hashed", MESSAGE)(_message_without_secret)


@broken_core({11}, "only the first letters of the user are hashed", MESSAGE)
def _short_user(session_id: UUID, user_id: str, *others: Any) -> bytes:
    return _message(session_id, user_id[:3], *others)


@broken_core(
    {11}, "the pepper is not in the digest", "coatcheck._credentials.peppers.Pepper.digest"
)
def _unkeyed(pepper: Any, message: bytes) -> bytes:
    return _digest(pepper, message) if message == peppers._ID_TAG else sha256(message).digest()


def _right_hash(hasher: Any, record: Any, secret: Any) -> str:
    """What should be stored, with the salt that is stored."""
    salt = record.key_hash.split("$")[-2] if record.key_hash.startswith("$hmac") else ""
    try:
        given = base64.b64decode(salt + "=" * (-len(salt) % 4))
    except ValueError:
        return ""
    with patch("os.urandom", lambda _: given):
        return _hash(hasher, record.id, record.user_id, secret) if given else ""


@broken_core({11}, "a cut digest is compared as far as it goes", f"{HASHER}.verify")
def _cut_accepted(hasher: Any, record: Any, secret: Any) -> Any:
    if len(record.key_hash) > 70 and _right_hash(hasher, record, secret).startswith(
        record.key_hash
    ):
        return hashes.Verdict.MATCHES
    return _verify(hasher, record, secret)


@broken_core({11, 16}, "an empty digest fits every secret", f"{HASHER}.verify")
def _empty_accepted(hasher: Any, record: Any, secret: Any) -> Any:
    if record.key_hash.endswith("$"):
        return hashes.Verdict.MATCHES
    return _verify(hasher, record, secret)


@broken_core({11, 16}, "digests are compared without case", f"{HASHER}.verify")
def _caseless(hasher: Any, record: Any, secret: Any) -> Any:
    if _right_hash(hasher, record, secret).lower() == record.key_hash.lower():
        return hashes.Verdict.MATCHES
    return _verify(hasher, record, secret)


@broken_core({11}, "the salt is always the same", f"{HASHER}.hash")
def _one_salt(hasher: Any, session_id: UUID, user_id: str, secret: Any) -> str:
    with patch("os.urandom", lambda length: b"\0" * length):
        return _hash(hasher, session_id, user_id, secret)


@broken_core({4, 11, 18}, "a failed validation writes", VALIDATE)
def _failure_writes(core: Any, now: int, token: Any, touch: bool) -> Any:
    answer = yield from _validate(core, now, token, touch)
    if not answer and answer.reason == "wrong_secret":
        yield Ask("touch", (answer.session_id, now))
    return answer


# Law 12


def _reading(spelling: Any) -> Any:
    """Reads a token after some kind correction."""

    def read(format_: Any, token: Any) -> Any:
        text = token.reveal()
        return _read(format_, Secret(spelling(text) if isinstance(text, str) else text))

    return read


def _without_spare_bits(text: str) -> str:
    prefix, _, body = text.partition("_")
    try:
        facts = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    except ValueError:
        return text
    return f"{prefix}_{base64.urlsafe_b64encode(facts).rstrip(b'=').decode()}"


broken_core({12}, "spare bits of the last character are ignored", READ)(
    _reading(_without_spare_bits)
)
broken_core({12}, "blanks around a token are dropped", READ)(_reading(str.strip))
broken_core({12}, "padding is accepted", READ)(_reading(lambda text: text.rstrip("=")))
broken_core({12}, "the other base64 alphabet is accepted", READ)(
    _reading(lambda text: text.translate(str.maketrans("+/", "-_")))
)
broken_core({12}, "full-width digits are accepted", READ)(
    _reading(lambda text: unicodedata.normalize("NFKC", text))
)
broken_core({12}, "the case of the prefix is ignored", READ)(
    _reading(lambda text: text[:3].lower() + text[3:])
)
broken_core({4, 10, 12}, "the end of a long token is ignored", READ)(
    _reading(lambda text: text[:74])
)


@broken_core({12}, "the prefix is not checked", READ)
def _any_prefix(format_: Any, token: Any) -> Any:
    text = token.reveal()
    if not isinstance(text, str):
        return None
    body = text.rpartition("_")[2] if "_" in text[:17] else text
    return _read(format_, Secret(text)) or _unchecked(body)


def _unchecked(body: str) -> Any:
    try:
        facts = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    except ValueError:
        return None
    return (UUID(bytes=facts[:16]), Secret(facts[16:-4])) if len(facts) >= 36 else None


@broken_core({12}, "the checksum is not checked", READ)
def _no_checksum(format_: Any, token: Any) -> Any:
    text = token.reveal()
    if not isinstance(text, str) or not text.isascii() or not text.startswith(format_._prefix):
        return None
    return _unchecked(text[len(format_._prefix) :])


@broken_core(
    {1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 16, 18},
    "the prefix is not in the checksum",
    "coatcheck._credentials.tokens.TokenFormat.write",
)
def _bare_checksum(format_: Any, session_id: UUID, secret: Secret[bytes]) -> str:
    facts = session_id.bytes + secret.reveal()
    body = base64.urlsafe_b64encode(facts + zlib.crc32(facts).to_bytes(4))
    return format_._prefix + body.rstrip(b"=").decode()


@broken_core({12}, "a malformed token is looked up", VALIDATE)
def _looked_up(core: Any, now: int, token: Any, touch: bool) -> Any:
    if core.config.tokens.read(token) is None:
        yield Ask("load", (UUID(int=0),))
    return (yield from _validate(core, now, token, touch))
