"""Peppers: stretched once into keys, known by an id that tells nothing of them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from hashlib import sha256

from .._errors import ConfigError
from .._secret import Secret

MIN_PEPPER_CHARACTERS = 10
STRONG_PEPPER_BYTES = 32

# Constants of scheme version 1. Another salt or cost is another key, and so another pepper id:
# changing one of them signs everybody out. OWASP's Password Storage Cheat Sheet gives the cost.
_STRETCH_SALT = b"coatcheck pepper v1"
_STRETCH_MEMORY_KIB = 19 * 1024
_STRETCH_PASSES = 2
_STRETCH_LANES = 1
_KEY_LENGTH = 32
_ID_TAG = b"coatcheck pepper id v1"
_ID_LENGTH = 8


class Pepper:
    """One pepper's key, as the two halves of an HMAC-SHA-256, and its id."""

    __slots__ = ("_inner", "_outer", "id")

    def __init__(self, phrase: Secret[bytes]) -> None:
        # RFC 2104 with its two key blocks hashed beforehand (section 4): less than half the
        # time of `hmac`, at every validation. A test holds it to `hmac`.
        key = _stretch(phrase)
        self._inner = sha256(_block(key, 0x36).reveal())
        self._outer = sha256(_block(key, 0x5C).reveal())
        self.id = self.digest(_ID_TAG)[:_ID_LENGTH].hex()

    def digest(self, message: bytes) -> bytes:
        """HMAC-SHA-256 of `message`, 32 bytes."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()


def _block(key: Secret[bytes], pad: int) -> Secret[bytes]:
    """The key, shorter than the block of 64 bytes, over the pad."""
    return Secret(bytes(byte ^ pad for byte in key.reveal().ljust(64, b"\0")))


class Keyring:
    """The peppers of one manager: the first writes, all of them verify."""

    __slots__ = ("by_id", "first", "places")

    def __init__(self, peppers: Sequence[Pepper]) -> None:
        self.first = peppers[0]
        self.by_id = {pepper.id: pepper for pepper in peppers}
        self.places = {pepper.id: place for place, pepper in enumerate(peppers)}
        """0 for the pepper that writes, 1 and on for the fallbacks."""


def open_keyring(pepper: Secret[object], fallbacks: Iterable[Secret[object]]) -> Keyring:
    """Check and stretch the configured peppers, about 30 ms each.

    Raises `ConfigError`, naming `pepper` or `fallback_peppers[n]`, for one that is
    no string, shorter than 10 characters, or there twice. Warns of one under 32 bytes.
    """
    named = [("pepper", pepper)]
    named += [(f"fallback_peppers[{n}]", fallback) for n, fallback in enumerate(fallbacks)]
    names: dict[str, str] = {}
    peppers: list[Pepper] = []
    for name, given in named:
        stretched = Pepper(_phrase(name, given))
        same = names.setdefault(stretched.id, name)
        if same != name:
            raise ConfigError(f"{name} is the same pepper as {same}; remove one of them")
        peppers.append(stretched)
    return Keyring(peppers)


def _phrase(name: str, given: Secret[object]) -> Secret[bytes]:
    problem, phrase = _checked(given)
    if phrase is None:
        raise ConfigError(f"{name} {problem}; `coatcheck pepper new` prints a good one")
    if len(phrase.reveal()) < STRONG_PEPPER_BYTES:
        warnings.warn(
            f"{name} is shorter than {STRONG_PEPPER_BYTES} bytes; "
            "`coatcheck pepper new` prints a good one",
            stacklevel=2,
        )
    return phrase


def _checked(given: Secret[object]) -> tuple[str, Secret[bytes] | None]:
    """What is wrong with it, or its bytes. Apart, so that no frame that raises has seen it."""
    text = given.reveal()
    if text is None or text == "":
        return "is not set", None
    if not isinstance(text, str):
        return f"must be a str, not {type(text).__name__}", None
    if len(text) < MIN_PEPPER_CHARACTERS:
        return f"must have at least {MIN_PEPPER_CHARACTERS} characters", None
    try:
        return "", Secret(text.encode())
    except UnicodeEncodeError:
        return "holds a lone surrogate, which UTF-8 cannot encode", None


def _stretch(phrase: Secret[bytes]) -> Secret[bytes]:
    from argon2.low_level import Type, hash_secret_raw

    return Secret(
        hash_secret_raw(
            phrase.reveal(),
            _STRETCH_SALT,
            time_cost=_STRETCH_PASSES,
            memory_cost=_STRETCH_MEMORY_KIB,
            parallelism=_STRETCH_LANES,
            hash_len=_KEY_LENGTH,
            type=Type.ID,
        )
    )
