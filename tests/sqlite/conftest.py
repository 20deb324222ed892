"""A file for each test, and both managers over it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sqlite_files import FACES, Place
from stretched_peppers import stretched_once


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
