"""The servers that all processes of a run share, and a part of one for each who asks."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol
from urllib.parse import urlencode, urlsplit

import psycopg
from psycopg import sql
from pymongo import MongoClient

import server_runs
from replica_sets import ReplicaSet
from servers import MongoServer, PostgresServer

POSTGRESQL = "COATCHECK_TEST_POSTGRESQL_URL"
MONGODB = "COATCHECK_TEST_MONGODB_URL"


class _Startable(Protocol):
    @property
    def url(self) -> str: ...
    def start(self) -> None: ...


def _shared(name: str, make: Callable[[], _Startable]) -> str:
    def start() -> str:
        server = make()
        server.start()  # it goes on when this process ends, and stops with the run
        return server.url

    return server_runs.current().once(name, start)


def postgresql() -> str:
    """The URL of a PostgreSQL server, by a user who may create databases."""
    return os.environ.get(POSTGRESQL) or _shared("postgresql-url", PostgresServer)


def mongodb() -> str:
    """The URL of a mongod by itself, or of the server that we are told to use."""
    return os.environ.get(MONGODB) or _shared("mongodb-url", MongoServer)


def replica_set() -> str:
    """The URL of a replica set of three members."""
    return _own_replica_set() or _shared("replica-set-url", ReplicaSet)


def quick_replica_set() -> str:
    """The URL of a replica set of one member: its transactions, and a third of the time."""
    return _own_replica_set() or _shared("quick-replica-set-url", lambda: ReplicaSet(size=1))


def _own_replica_set() -> str | None:
    own = os.environ.get(MONGODB)
    if own:
        with MongoClient[dict[str, object]](own) as client:
            if "setName" in client.admin.command("hello"):
                return own
    return None


_numbers = itertools.count(1)


def new_name() -> str:
    """For a database, a schema or a table that no other process and no other test has."""
    return f"coatcheck_{os.getpid()}_{next(_numbers)}_{os.urandom(3).hex()}"


def on_database(url: str, name: str) -> str:
    """The same server's URL with another database."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def with_options(url: str, **options: str) -> str:
    """The URL with more in its query."""
    parts = urlsplit(url)
    query = "&".join(filter(None, (parts.query, urlencode(options))))
    return parts._replace(query=query).geturl()


@contextmanager
def postgresql_database(url: str) -> Iterator[str]:
    """A new database on a server, and its URL."""
    name = new_name()
    identifier = sql.Identifier(name)
    with psycopg.connect(url, autocommit=True) as connection:
        create = sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0")
        connection.execute(create.format(identifier))
    yield on_database(url, name)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))


@contextmanager
def mongodb_database(url: str) -> Iterator[str]:
    """A database's URL on a server; the first write creates it."""
    name = new_name()
    yield on_database(url, name)
    with MongoClient[dict[str, object]](url) as client:
        client.drop_database(name)
