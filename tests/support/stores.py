"""The stores on which the laws are tried: how each is opened, given a directory of the test's.

What a server keeps is where the file `url` in that directory says, so that another process
finds it there as well.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import shared_servers
from async_backend import AsyncBackend
from coatcheck import Secret
from plain_backend import PlainBackend
from shared_servers import mongodb_database, postgresql_database

Place = Callable[[Path], AbstractContextManager[None]]


def open_sqlite(directory: Path) -> object:
    """A backend over a real file."""
    from coatcheck_backends import sqlite

    return sqlite.open_backend(Secret(sqlite_url(directory)))


def sqlite_url(directory: Path) -> str:
    return f"sqlite:///{directory / 'sessions.db'}"


@functools.cache
def open_plain(directory: Path) -> PlainBackend:
    """The required hooks over a dictionary, the same for the same directory."""
    return PlainBackend()


def open_async_plain(directory: Path) -> AsyncBackend:
    """The same as coroutine functions."""
    return AsyncBackend(open_plain(directory))


def server_url(directory: Path) -> str:
    """Where the server keeps what belongs to this directory."""
    return (directory / "url").read_text()


@contextmanager
def on_postgresql(directory: Path) -> Iterator[None]:
    """A new database."""
    with postgresql_database(shared_servers.postgresql()) as url:
        (directory / "url").write_text(url)
        yield


def open_postgresql(directory: Path) -> object:
    from coatcheck_backends import postgresql

    return postgresql.open_backend(Secret(server_url(directory)))


def open_async_postgresql(directory: Path) -> object:
    from coatcheck_backends import postgresql

    return postgresql.open_async_backend(Secret(server_url(directory)))


def open_asyncpg(directory: Path) -> object:
    from coatcheck_backends import postgresql

    url = server_url(directory).replace("postgresql:", "postgresql+asyncpg:", 1)
    return postgresql.open_async_backend(Secret(url))


@contextmanager
def on_mongodb(directory: Path) -> Iterator[None]:
    """A new database."""
    with mongodb_database(shared_servers.quick_replica_set()) as url:
        (directory / "url").write_text(url)
        yield


def open_mongodb(directory: Path) -> object:
    from coatcheck_backends import mongodb

    return mongodb.open_backend(Secret(server_url(directory)))


def open_async_mongodb(directory: Path) -> object:
    from coatcheck_backends import mongodb

    return mongodb.open_async_backend(Secret(server_url(directory)))
