"""Every store that ships with coatcheck and is shared by processes, by its URL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import shared_servers
from shared_servers import mongodb_database, new_name, with_options

STORES = ("sqlite", "postgresql", "mongodb")


@pytest.fixture
def urls(
    request: pytest.FixtureRequest, tmp_path: Path, postgresql_url: str
) -> Iterator[dict[str, str]]:
    """An empty store of each kind."""
    with mongodb_database(shared_servers.quick_replica_set()) as mongodb:
        yield {
            "sqlite": f"sqlite:///{tmp_path / 'sessions.db'}",
            "postgresql": with_options(postgresql_url, schema=new_name()),
            "mongodb": mongodb,
        }


@pytest.fixture(params=STORES)
def url(request: pytest.FixtureRequest, urls: dict[str, str]) -> str:
    """One of them."""
    return urls[request.param]
