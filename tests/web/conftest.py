"""Each service runs once for all tests of a process; they share what is in its store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stretched_peppers import stretched_once
from web_services import Service, services
from web_worlds import World, world


@pytest.fixture(scope="session", params=services(), ids=lambda service: service.name)
def service(request: pytest.FixtureRequest) -> Service:
    return request.param


@pytest.fixture(scope="session")
def here(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(service, tmp_path_factory.mktemp(service.name)) as running:
        yield running


@pytest.fixture(autouse=True)
def store_is_up(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "here" in request.fixturenames:
        request.getfixturevalue("here").store.mend()
