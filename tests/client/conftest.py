"""A server, another one at another port, and a client of each kind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import web_origins
from web_origins import FACES, Face, WebOrigin


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> Iterator[Face]:
    with web_origins.face(request.param) as face:
        yield face


@pytest.fixture
def home() -> Iterator[WebOrigin]:
    """Where the token is for."""
    home = WebOrigin()
    yield home
    home.close()


@pytest.fixture
def elsewhere() -> Iterator[WebOrigin]:
    """Another origin, by its port."""
    elsewhere = WebOrigin()
    yield elsewhere
    elsewhere.close()
