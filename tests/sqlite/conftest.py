"""A file for each test, and both managers over it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from coatcheck import Secret
from coatcheck._credentials import peppers
from sqlite_files import FACES, Place

_stretch = peppers._stretch
_stretched = cache(lambda phrase: _stretch(Secret(phrase)))


@pytest.fixture(scope="module", autouse=True)
def stretched_once() -> Iterator[None]:
    """Each pepper is stretched once for all managers in here: 30 ms, a thousand times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(peppers, "_stretch", lambda phrase: _stretched(phrase.reveal()))
        yield


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A directory with no database yet."""
    place = Place(tmp_path)
    yield place
    place.close()


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> str:
    """Which of the two managers."""
    return request.param
