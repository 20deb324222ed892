"""The servers of a test run: each started once, when a test first asks for it.

`COATCHECK_TEST_POSTGRESQL_URL` and `COATCHECK_TEST_MONGODB_URL` name servers of one's own
instead. What is called `fresh` is for one test; the rest is for all tests of a process.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import server_runs
import shared_servers
from servers import ServerMissing
from shared_servers import mongodb_database, new_name, postgresql_database, with_options

pytest_plugins = ["coatcheck_conformance.plugin", "tables"]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """The main process begins the run and tells its workers where it is."""
    node.workerinput["run"] = str(server_runs.current().directory)


def pytest_configure(config: pytest.Config) -> None:
    told = getattr(config, "workerinput", {})
    if "run" in told:
        server_runs.join(told["run"])


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> None:
    """A server that cannot be started is a failure of one line, wherever it was asked for."""
    if call.excinfo is not None and call.excinfo.errisinstance(ServerMissing):
        try:
            pytest.fail(str(call.excinfo.value), pytrace=False)
        except pytest.fail.Exception:
            call.excinfo = pytest.ExceptionInfo.from_current()


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """A database on PostgreSQL."""
    with postgresql_database(shared_servers.postgresql()) as url:
        yield url


@pytest.fixture(scope="session")
def mongodb_url() -> Iterator[str]:
    """A database on a mongod by itself."""
    with mongodb_database(shared_servers.mongodb()) as url:
        yield url


@pytest.fixture(scope="session")
def replica_set_url() -> Iterator[str]:
    """A database on a replica set, where MongoDB has transactions."""
    with mongodb_database(shared_servers.replica_set()) as url:
        yield url


@pytest.fixture(scope="session")
def quick_replica_set_url() -> Iterator[str]:
    """A database on a replica set of one member."""
    with mongodb_database(shared_servers.quick_replica_set()) as url:
        yield url


@pytest.fixture
def fresh_postgresql_url(postgresql_url: str) -> str:
    """With a schema that nobody has made yet."""
    return with_options(postgresql_url, schema=new_name())


@pytest.fixture
def fresh_mongodb_url(mongodb_url: str) -> Iterator[str]:
    """With a database that holds nothing."""
    with mongodb_database(mongodb_url) as url:
        yield url


@pytest.fixture
def fresh_replica_set_url(replica_set_url: str) -> Iterator[str]:
    """With a database that holds nothing, on the replica set."""
    with mongodb_database(replica_set_url) as url:
        yield url
