from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis_server import RedisServer

pytest_plugins = ["coatcheck_conformance.plugin"]


@pytest.fixture(scope="session")
def running() -> Iterator[RedisServer]:
    """One server for all tests that leave it as it was."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def server(running: RedisServer) -> RedisServer:
    """The same, empty."""
    with running.client() as client:
        client.flushall()
        client.script_flush()
    return running
