"""A schema for each test, and the managers in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from postgresql_places import ASYNC_FACES, FACES, Place, new_place
from servers import PostgresServer
from stretched_peppers import stretched_once


@pytest.fixture
def place(postgresql_url: str) -> Iterator[Place]:
    """A schema with the tables in it."""
    with new_place(postgresql_url) as place:
        yield place


@pytest.fixture
def bare_place(postgresql_url: str) -> Iterator[Place]:
    """The name of a schema that nobody has made."""
    with new_place(postgresql_url, prepared=False) as place:
        yield place


@pytest.fixture(scope="session")
def own_server() -> Iterator[PostgresServer]:
    """A server of this process's own, which may be stopped, frozen and used up."""
    settings = {"max_connections": 20, "superuser_reserved_connections": 3}
    with PostgresServer(settings) as server:
        yield server


@pytest.fixture
def own_place(own_server: PostgresServer) -> Iterator[Place]:
    """A schema on that server."""
    with new_place(own_server.url) as place:
        yield place


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> str:
    """Which manager, on which driver."""
    return request.param


@pytest.fixture(params=ASYNC_FACES)
def async_face(request: pytest.FixtureRequest) -> str:
    """Which driver under the asynchronous manager."""
    return request.param
