"""Servers of a test's own, which may be killed, and what every test must leave as it was."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest

from coatcheck import SessionManager
from doors import PEPPER
from leftovers import nothing_left_behind
from replica_sets import ReplicaSet
from servers import MongoServer, PostgresServer
from shared_servers import mongodb_database, postgresql_database
from stretched_peppers import stretched_once


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What is logged of a touch that failed is tested elsewhere, and there are many here."""
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


def prepare(url: str) -> None:
    """Make the schema, with more time than a load's managers have: they all open at once."""
    SessionManager.open(url, pepper=PEPPER, deadline=timedelta(seconds=30)).close()


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """PostgreSQL, whose own default would lose what was acknowledged."""
    with PostgresServer({"synchronous_commit": "off", "wal_writer_delay": "10s"}) as server:
        yield server


@pytest.fixture
def url(server: PostgresServer) -> Iterator[str]:
    """A database of its own on it."""
    with postgresql_database(server.url) as url:
        prepare(url)
        with nothing_left_behind():
            yield url


@pytest.fixture(scope="module")
def mongod() -> Iterator[MongoServer]:
    """A mongod by itself, which fails when it is told to."""
    with MongoServer({"enableTestCommands": 1}) as mongod:
        yield mongod


@pytest.fixture
def mongod_url(mongod: MongoServer) -> Iterator[str]:
    """A database of its own on it."""
    with mongodb_database(mongod.url) as url:
        prepare(url)
        with nothing_left_behind():
            yield url


@pytest.fixture(scope="module")
def members() -> Iterator[ReplicaSet]:
    """Three mongods which elect another primary after two seconds."""
    with ReplicaSet({"enableTestCommands": 1}) as members:
        yield members


@pytest.fixture
def members_url(members: ReplicaSet) -> Iterator[str]:
    """A database of its own on them."""
    with mongodb_database(members.url) as url:
        prepare(url)
        with nothing_left_behind():
            yield url
