"""The token's one spelling: `<prefix>_<base64url of id, secret and CRC-32>`."""

from __future__ import annotations

import os
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from typing import cast
from uuid import UUID
from zlib import crc32

from .._secret import Secret
from .uuid7 import uuid_from_bytes

MIN_SECRET_LENGTH = 16
MAX_SECRET_LENGTH = 255

_ID_LENGTH = 16
_CHECKSUM_LENGTH = 4
_SHORTEST = _ID_LENGTH + MIN_SECRET_LENGTH + _CHECKSUM_LENGTH
_LONGEST = _ID_LENGTH + MAX_SECRET_LENGTH + _CHECKSUM_LENGTH

# To the alphabet that the decoder knows. What only that one has becomes a character that
# neither has, so that no token is written in two alphabets.
_FROM_URLSAFE = bytes.maketrans(b"-_+/=", b"+/!!!")
_TO_URLSAFE = bytes.maketrans(b"+/", b"-_")

# By length modulo 4: the padding, and the last characters whose spare bits are zero. The
# decoder ignores those bits, and would take four or sixteen spellings of one token.
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_ENDINGS = (b"", _ALPHABET), (b"", b""), (b"==", _ALPHABET[::16]), (b"=", _ALPHABET[::4])


class TokenFormat:
    """Writes and reads the tokens of one prefix (RFC 4648, section 5, without padding)."""

    __slots__ = ("_checksum_of_prefix", "_longest", "_prefix", "_prefix_length", "_shortest")

    def __init__(self, prefix: str) -> None:
        self._prefix = f"{prefix}_"
        self._prefix_length = len(self._prefix)
        self._checksum_of_prefix = crc32(prefix.encode())
        self._shortest = self._prefix_length + _encoded_length(_SHORTEST)
        self._longest = self._prefix_length + _encoded_length(_LONGEST)

    def write(self, session_id: UUID, secret: Secret[bytes]) -> str:
        """The token that names `session_id` and carries `secret`."""
        facts = session_id.bytes + secret.reveal()
        checksum = crc32(facts, self._checksum_of_prefix).to_bytes(_CHECKSUM_LENGTH)
        body = b2a_base64(facts + checksum, newline=False).translate(_TO_URLSAFE).rstrip(b"=")
        return self._prefix + body.decode()

    def read(self, token: Secret[object]) -> tuple[UUID, Secret[bytes]] | None:
        """Id and secret, or `None` unless `token` is a string in the canonical spelling
        with a right checksum. Raises nothing, whatever the token is."""
        text = token.reveal()
        if type(text) is not str:
            # `isinstance` would ask the object, which may lie or raise, and so may its methods.
            if not issubclass(type(text), str):
                return None
            text = str.__str__(cast(str, text))
        if (
            not self._shortest <= len(text) <= self._longest
            or not text.startswith(self._prefix)
            or not text.isascii()
        ):
            return None
        body = text[self._prefix_length :].encode()
        padding, canonical_ends = _ENDINGS[len(body) % 4]
        if body[-1] not in canonical_ends:
            return None
        try:
            facts = a2b_base64(body.translate(_FROM_URLSAFE) + padding, strict_mode=True)
        except Base64Error:
            return None
        checksum = crc32(facts[:-_CHECKSUM_LENGTH], self._checksum_of_prefix)
        if checksum != int.from_bytes(facts[-_CHECKSUM_LENGTH:]):
            return None
        return uuid_from_bytes(facts[:_ID_LENGTH]), Secret(facts[_ID_LENGTH:-_CHECKSUM_LENGTH])


def _encoded_length(length: int) -> int:
    """Characters of so many bytes in base64 without padding."""
    return (length * 4 + 2) // 3


def new_secret(length: int) -> Secret[bytes]:
    """`length` bytes from the operating system's generator."""
    return Secret(os.urandom(length))
