"""Law 11 at every bit of a row: a flip is never somebody else's session, nor an odd exception."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from coatcheck import BackendError, IssuedSession, Rejection, Session
from coatcheck_conformance.frame.spelling import spell, unspell
from sqlite_files import Place, verdict

ATTRIBUTES = (
    "id", "user_id", "method", "scopes", "metadata", "created_at", "last_used_at", "expires_at",
    "inactivity_timeout", "valid_until", "pepper_id",
)  # fmt: skip
WEEK = timedelta(days=7)


@contextmanager
def flipping(place: Place, issued: IssuedSession, column: str) -> Iterator[Callable[[int], None]]:
    """Flips one bit of one stored value, on a connection that never waits for the disk."""
    with closing(sqlite3.connect(place.path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        kept = place.row(issued.session.id)
        assert kept is not None
        names = [row[1] for row in connection.execute("PRAGMA table_info(coatcheck_session)")]
        stored = kept[names.index(column)]
        flip = _flip_of(stored)

        def write(bit: int) -> None:
            value, form = flip(bit)
            connection.execute("DELETE FROM coatcheck_session")
            holes = ", ".join(form if name == column else "?" for name in names)
            values = [value if name == column else kept[names.index(name)] for name in names]
            connection.execute(f"INSERT INTO coatcheck_session VALUES ({holes})", values)

        yield write


def _flip_of(stored: Any) -> Callable[[int], tuple[Any, str]]:
    if isinstance(stored, int):
        # Two's complement, as SQLite keeps it.
        return lambda bit: (_signed((stored & (2**64 - 1)) ^ 1 << bit), "?")
    raw = stored if isinstance(stored, bytes) else stored.encode()
    form = "?" if isinstance(stored, bytes) else "CAST(? AS TEXT)"

    def flip(bit: int) -> tuple[bytes, str]:
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        return bytes(changed), form

    return flip


def _signed(number: int) -> int:
    return number - 2**64 if number >= 2**63 else number


def bits_of(place: Place, issued: IssuedSession, column: str) -> int:
    [(stored,)] = place.sql(
        f"SELECT {column} FROM coatcheck_session WHERE id = ?", issued.session.id.bytes
    )
    return 64 if isinstance(stored, int) else 8 * len(stored)


def signed_in(sessions: Any) -> IssuedSession:
    return sessions.issue("user-42", method="password", scopes={"read", "write"},
                          metadata={"key": [1, "two"]}, inactivity_timeout=WEEK)  # fmt: skip


SCHEMES: tuple[dict[str, Any], ...] = (
    {},
    {"hash_scheme": "argon2id", "argon2_memory_kib": 8, "argon2_time_cost": 1},
)


@pytest.mark.parametrize("options", SCHEMES, ids=["hmac-sha256", "argon2id"])
@pytest.mark.parametrize("column", ["user_id", "key_hash"])
def test_no_flip_of_what_is_hashed_is_ever_a_session(
    place: Place, face: str, column: str, options: dict[str, Any]
) -> None:
    sessions = place.open(face, **options)
    issued = signed_in(sessions)
    bits = bits_of(place, issued, column)
    with flipping(place, issued, column) as flip:
        for bit in range(bits):
            flip(bit)
            before = place.row(issued.session.id) if bit % 50 == 0 else None
            answer = verdict(sessions, issued.token)
            assert isinstance(answer, Rejection | BackendError), f"bit {bit} of {column}"
            assert not hasattr(answer, "user_id")
            if before is not None and column != "user_id":
                assert place.row(issued.session.id) == before, "and nothing was written"


def test_no_flip_of_an_id_is_ever_a_session(place: Place, face: str) -> None:
    sessions = place.open(face)
    issued = signed_in(sessions)
    session_id, secret = unspell(issued.token)
    with flipping(place, issued, "id") as flip:
        for bit in range(128):
            flip(bit)
            assert verdict(sessions, issued.token).reason == "unknown"
            changed = bytearray(session_id.bytes)
            changed[bit // 8] ^= 1 << bit % 8
            token = spell(UUID(bytes=bytes(changed)), secret)
            assert verdict(sessions, token).reason == "wrong_secret"


@pytest.mark.parametrize(
    "column",
    ["method", "scopes", "metadata", "pepper_id", "created_at", "last_used_at", "expires_at",
     "inactivity_timeout"],
)  # fmt: skip
def test_a_flip_elsewhere_is_an_error_or_shown_exactly(
    place: Place, face: str, column: str
) -> None:
    sessions = place.open(face)
    issued = signed_in(sessions)
    bits = bits_of(place, issued, column)
    shown = 0
    with flipping(place, issued, column) as flip:
        for bit in range(bits):
            flip(bit)
            answer = verdict(sessions, issued.token, touch=False)
            if isinstance(answer, Session):
                shown += shown_exactly(place, answer, issued.session, column)
            # With a touch as well, which must do its arithmetic on the same odd numbers.
            verdict(sessions, issued.token)
            sessions.count(live=True)
            sessions.purge()
    assert shown, "some flips can be shown"


def shown_exactly(place: Place, session: Session, before: Session, column: str) -> bool:
    """Every attribute is as it was, or what the row holds now, or an error that names the id."""
    readable = True
    for name in ATTRIBUTES:
        try:
            value = getattr(session, name)
        except BackendError as error:
            assert str(session.id) in str(error)  # noqa: PT017
            assert name in (column, "valid_until")
            readable = readable and name != column
            continue
        if name == column:
            [(stored,)] = place.sql(
                f"SELECT {column} FROM coatcheck_session WHERE id = ?", session.id.bytes
            )
            assert value == as_shown(column, stored)
        elif name != "valid_until":
            assert value == getattr(before, name)
    return readable


def as_shown(column: str, stored: Any) -> object:
    if column == "metadata":
        return json.loads(stored)
    if column == "scopes":
        return frozenset(stored.split())
    if isinstance(stored, int):
        span = timedelta(milliseconds=stored)
        return span if column == "inactivity_timeout" else datetime(1970, 1, 1, tzinfo=UTC) + span
    return stored
