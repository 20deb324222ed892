from __future__ import annotations

from collections.abc import Iterator

import pytest
from asking import Asking
from redis_server import RedisServer

pytest_plugins = ["coatcheck_conformance.plugin"]


@pytest.fixture(scope="session")
def running() -> Iterator[RedisServer]:
    """One server for all tests that leave it as it was."""
    with RedisServer(appendonly="no") as server:
        yield server


@pytest.fixture
def server(running: RedisServer) -> RedisServer:
    """The same, empty, and without any script."""
    with running.client() as client:
        client.flushall()
        client.script_flush()
    return running


@pytest.fixture(params=["sync", "async"])
def face(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(face: str, server: RedisServer) -> Iterator[Asking]:
    """A backend of either kind on the empty server."""
    with Asking(face, server.url) as asking:
        yield asking
