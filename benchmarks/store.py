"""A database of sessions to measure on, and the raw statements to measure against."""

from __future__ import annotations

import random
import sqlite3
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine

from coatcheck import SessionManager

OPTIONS: dict[str, Any] = {
    "pepper": "a pepper for benchmarks of thirty-two bytes and more",
    # Filling the store takes longer than the default, and no touch is to be due.
    "touch_interval": timedelta(hours=1),
}
METADATA = {"ip": "192.0.2.7", "device": "Firefox on Linux"}
SCOPES = frozenset({"read", "write"})
SESSIONS_PER_USER = 10
TABLE = "coatcheck_session"
COLUMNS = (
    "id, user_id, method, scopes, metadata, created_at, last_used_at, expires_at, "
    "inactivity_timeout, key_hash, pepper_id"
)
SELECT = f"SELECT {COLUMNS} FROM {TABLE} WHERE id = ?"
SELECT_USER = f"SELECT {COLUMNS} FROM {TABLE} WHERE user_id = ? ORDER BY id LIMIT 100"
INSERT = f"INSERT INTO {TABLE} ({COLUMNS}) VALUES ({', '.join('?' * 11)})"
DELETE = f"DELETE FROM {TABLE} WHERE id = ?"
DELETE_USER = f"DELETE FROM {TABLE} WHERE user_id = ?"


class Store:
    """A file with so many sessions, ten a user, and a token for each."""

    def __init__(self, path: Path, sessions: int) -> None:
        self.path = path
        self.url = f"sqlite:///{path}"
        with SessionManager.open(self.url, **OPTIONS) as manager:
            self.tokens = _fill(manager, path, sessions)
        self.ids = [id_of(token) for token in self.tokens]

    def users(self, number: int) -> list[str]:
        """Some users, in no order."""
        return [
            f"user-{n}" for n in random.sample(range(len(self.ids) // SESSIONS_PER_USER), number)
        ]

    @contextmanager
    def manager(self) -> Iterator[SessionManager]:
        """A manager on it."""
        with SessionManager.open(self.url, **OPTIONS) as manager:
            yield manager

    def connect(self) -> sqlite3.Connection:
        """A raw connection as fast as the module allows, with the durability that ours has."""
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA synchronous=FULL")
        return connection


def id_of(token: str) -> bytes:
    """The id in a token, as the store has it."""
    body = token.partition("_")[2]
    return urlsafe_b64decode(body + "=" * (-len(body) % 4))[:16]


def _fill(manager: SessionManager, path: Path, sessions: int) -> list[str]:
    """Issue them in one transaction, as a bulk load would."""
    engine = create_engine(f"sqlite:///{path}")
    tokens: list[str] = []
    with engine.connect() as connection:
        bound = manager.within(connection)
        for number in range(sessions):
            user = f"user-{number // SESSIONS_PER_USER}"
            issued = bound.issue(user, method="password", scopes=SCOPES, metadata=METADATA)
            tokens.append(issued.token)
        connection.commit()
    engine.dispose()
    return tokens
