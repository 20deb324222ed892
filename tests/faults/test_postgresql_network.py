"""Connections to PostgreSQL are cut, answers of it are lost or late, while everybody is at work."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from coatcheck import BackendUnavailable, OutcomeUnknown, SessionManager
from cutting_proxy import CuttingProxy
from doors import entered, opener, postgresql_doors
from loads import GRACE, Load, often

DEADLINE = 1.5


@pytest.fixture
def proxy(url: str) -> Iterator[CuttingProxy]:
    with CuttingProxy(url) as proxy:
        yield proxy


@pytest.fixture(params=[0, 1, 2], ids=["psycopg", "async psycopg", "asyncpg"])
def cut_off(request: pytest.FixtureRequest, proxy: CuttingProxy) -> Iterator[Any]:
    """A manager of each kind by itself, behind the proxy."""
    with entered(postgresql_doors(proxy.url, DEADLINE)[request.param]) as sessions:
        yield sessions


def test_connections_that_an_operator_ends_cost_at_most_what_they_carried(url: str) -> None:
    times, ended = often(5), 0
    with Load(postgresql_doors(url, DEADLINE), deadline=DEADLINE) as load:
        for _ in range(times):
            load.works(0.2)
            with psycopg.connect(url) as connection:
                cut = connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'coatcheck' AND datname = current_database()"
                )
                ended += cut.rowcount
            load.recovers(5)
    load.check(linearizable=True)
    load.tell(f"PostgreSQL, pg_terminate_backend {times} times, {ended} connections")


def test_connections_that_the_network_resets_cost_at_most_what_they_carried(
    proxy: CuttingProxy,
) -> None:
    times, ended = often(5), 0
    with Load(postgresql_doors(proxy.url, DEADLINE), deadline=DEADLINE) as load:
        for _ in range(times):
            load.works(0.2)
            ended += proxy.reset_all()
            load.works(0.1)
            proxy.cuts = 12
            load.recovers(5)
    load.check(linearizable=True)
    load.tell(f"PostgreSQL, {ended} connections reset, and {times * 12} at their answer")


def test_an_answer_that_is_cut_off_is_unknown_to_writers_and_asked_for_again_by_readers(
    url: str, proxy: CuttingProxy, cut_off: Any
) -> None:
    one, other = [cut_off.issue("ann", method="password") for _ in range(2)]
    assert cut_off.validate(one.token, touch=False)
    proxy.cuts = 1
    assert cut_off.validate(one.token, touch=False)
    assert proxy.cuts == 0
    writes: list[Callable[[Any, str], object]] = [
        lambda issued, scope: cut_off.update(issued.session.id, scopes={scope}),
        lambda issued, scope: cut_off.issue("bob", method="password"),
        lambda issued, scope: cut_off.revoke(issued.session.id),
    ]
    for write in writes:
        write(other, "seen")  # so that the connection is there, and knows the statement
        proxy.cuts = 1
        with pytest.raises(OutcomeUnknown):
            write(one, "unseen")
    with opener(SessionManager, url, DEADLINE)() as beside:
        left = [(each.user_id, *each.scopes) for each in beside.find()]
    assert left == [("bob",), ("bob",)], "all of it happened"


def test_an_answer_that_never_comes_is_unknown_to_writers_and_unavailable_to_readers(
    url: str, proxy: CuttingProxy, cut_off: Any
) -> None:
    issued, other = [cut_off.issue("ann", method="password") for _ in range(2)]
    cut_off.revoke(other.session.id)  # so that the connection knows the statement
    proxy.is_swallowing = True
    began = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        cut_off.revoke(issued.session.id)
    assert time.monotonic() - began < DEADLINE + GRACE
    with opener(SessionManager, url, DEADLINE)() as beside:
        assert not beside.validate(issued.token), "the revocation happened"
    began = time.monotonic()
    with pytest.raises(BackendUnavailable):
        cut_off.validate(issued.token)
    assert time.monotonic() - began < DEADLINE + GRACE
    proxy.is_swallowing = False
    assert cut_off.validate(issued.token).reason == "unknown"


def test_answers_that_get_lost_under_load(proxy: CuttingProxy) -> None:
    times = min(often(1), 10)
    with Load(postgresql_doors(proxy.url, DEADLINE), deadline=DEADLINE) as load:
        for _ in range(times):
            load.works(0.3)
            proxy.is_swallowing = True
            load.works(2 * DEADLINE)
            proxy.is_swallowing = False
            load.recovers(DEADLINE + 3)
    load.check(linearizable=True)
    assert load.failures["OutcomeUnknown"]
    load.tell(f"PostgreSQL, answers swallowed {times} times for {2 * DEADLINE} s")


@pytest.mark.parametrize("delay", [0.1, 2 * DEADLINE], ids=["in time", "too late"])
def test_answers_that_are_late(proxy: CuttingProxy, delay: float) -> None:
    with Load(postgresql_doors(proxy.url, DEADLINE), deadline=DEADLINE) as load:
        load.works(0.3)
        proxy.delay = delay
        load.works(3.0)
        proxy.delay = 0.0
        load.recovers(DEADLINE + 2 * delay + 3)
    load.check(linearizable=True)
    assert bool(load.failures) is (delay > DEADLINE)
    load.tell(f"PostgreSQL, each answer {delay} s late")
