"""A database for each test, and both managers over it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mongodb_places import FACES, Place
from stretched_peppers import stretched_once


@pytest.fixture
def place(fresh_mongodb_url: str) -> Iterator[Place]:
    """A database that nobody has prepared, on a mongod by itself."""
    place = Place(fresh_mongodb_url)
    yield place
    place.close()


@pytest.fixture
def set_place(fresh_replica_set_url: str) -> Iterator[Place]:
    """The same on a replica set."""
    place = Place(fresh_replica_set_url)
    yield place
    place.close()


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> str:
    """Which of the two managers."""
    return request.param
