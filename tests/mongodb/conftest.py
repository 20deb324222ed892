"""A database for each test, and both managers over it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest

from coatcheck import Secret
from coatcheck._credentials import peppers
from mongodb_places import FACES, Place

_stretch = peppers._stretch
_stretched = cache(lambda phrase: _stretch(Secret(phrase)))


@pytest.fixture(scope="module", autouse=True)
def stretched_once() -> Iterator[None]:
    """Each pepper is stretched once for all managers in here: 30 ms, a thousand times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(peppers, "_stretch", lambda phrase: _stretched(phrase.reveal()))
        yield


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
