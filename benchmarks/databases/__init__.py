"""The stores that are measured, each on a server that is started for it and ends with it."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from .store import AsyncRaw, Raw, Store

# The servers are those of the tests.
sys.path.append(str(Path(__file__).parents[2] / "tests" / "support"))

__all__ = ["NAMES", "AsyncRaw", "Raw", "Site", "Store", "open_site"]

NAMES = ("sqlite", "postgresql", "mongodb")
TMPFS = Path("/dev/shm")


class Make(Protocol):
    """Makes a store of its own."""

    def __call__(self, sessions: int) -> Store: ...


@dataclass(frozen=True)
class Site:
    """Where stores are made."""

    version: str
    """What the store says that it is."""
    url: str
    """The server's; of SQLite a directory."""
    make: Make


@contextmanager
def open_site(name: str) -> Iterator[Site]:
    """A server, or a directory. No driver is imported but that of the store."""
    opened = {"sqlite": _sqlite, "postgresql": _postgresql, "mongodb": _mongodb}[name]
    with opened() as site:
        yield site


@contextmanager
def _sqlite() -> Iterator[Site]:
    import sqlite3

    from .sqlite import SQLiteStore

    with tempfile.TemporaryDirectory(dir=TMPFS if TMPFS.is_dir() else None) as directory:

        def make(sessions: int) -> Store:
            return SQLiteStore(Path(directory) / f"{sessions}.db", sessions)

        yield Site(f"SQLite {sqlite3.sqlite_version}, {directory}", directory, make)


@contextmanager
def _postgresql() -> Iterator[Site]:
    import psycopg

    import server_runs
    from servers import PostgresServer

    from .postgresql import PostgresStore

    server_runs.begin_on_disk()
    with PostgresServer({"shared_buffers": "1GB", "max_wal_size": "4GB"}) as server:
        with psycopg.connect(server.url) as connection:
            (version,) = connection.execute("SHOW server_version").fetchone() or ("",)

        def make(sessions: int) -> Store:
            return PostgresStore(server.url, f"bench_{sessions}", sessions)

        drivers = _versions("psycopg", "asyncpg")
        yield Site(f"PostgreSQL {version}, {drivers}, {server.directory}", server.url, make)


@contextmanager
def _mongodb() -> Iterator[Site]:
    from pymongo import MongoClient

    import server_runs
    from servers import MongoServer

    from .mongodb import MongoStore

    server_runs.begin_on_disk()
    with MongoServer() as server:
        with MongoClient[dict[str, Any]](server.url) as client:
            version = client.server_info()["version"]
            client.admin.command("setParameter", 1, wiredTigerEngineRuntimeConfig="cache_size=2G")

        def make(sessions: int) -> Store:
            return MongoStore(server.url, f"bench_{sessions}", sessions)

        drivers = _versions("pymongo")
        yield Site(f"MongoDB {version}, {drivers}, {server.directory}", server.url, make)


def _versions(*distributions: str) -> str:
    from importlib.metadata import version

    return ", ".join(f"{name} {version(name)}" for name in distributions)
