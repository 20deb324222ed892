"""Tokens as the documentation spells them, written a second time for the tests."""

from __future__ import annotations

import base64
import zlib
from uuid import UUID

URLSAFE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def spell(session_id: UUID, secret: bytes, prefix: str = "cck", checksum: int | None = None) -> str:
    """`<prefix>_<base64url without padding of id, secret and CRC-32>`."""
    facts = session_id.bytes + secret
    crc = zlib.crc32(prefix.encode() + facts) if checksum is None else checksum
    body = base64.urlsafe_b64encode(facts + crc.to_bytes(4, "big"))
    return f"{prefix}_{body.rstrip(b'=').decode()}"


def unspell(token: str) -> tuple[UUID, bytes]:
    """Id and secret of a good token."""
    body = token.partition("_")[2]
    facts = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    return UUID(bytes=facts[:16]), facts[16:-4]
