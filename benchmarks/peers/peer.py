"""What a peer is to the race: tokens, and a way to validate some of them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

SESSIONS_PER_USER = 10


@dataclass(frozen=True)
class Place:
    """Where a peer keeps its sessions, and how many."""

    store: str
    """`sqlite`, `postgresql` or `mongodb`."""
    url: str
    """The server's database; of SQLite the directory for a file of the peer's own."""
    sessions: int
    runner: asyncio.Runner
    """The event loop of the asynchronous peers, the same one that ours runs on."""

    @property
    def users(self) -> int:
        """As many as ours has."""
        return -(-self.sessions // SESSIONS_PER_USER)

    def file(self, name: str) -> Path:
        """A database file in WAL mode, which is the faster one and which ours has too."""
        path = Path(self.url) / name
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.close()
        return path


@dataclass(frozen=True)
class Peer:
    """One that is filled and open."""

    name: str
    tokens: Sequence[str]
    validate: Callable[[Sequence[str]], None]
    """Each of some tokens, one after another, as a request would."""
    close: Callable[[], None]
    asynchronous: bool = False


def named(name: str, distribution: str) -> str:
    """The name that the tables show, with the version that is installed."""
    return f"{name} {version(distribution)}"
