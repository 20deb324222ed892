"""A mongod by itself is killed, frozen or cut off while everybody is at work."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from coatcheck import BackendUnavailable, OutcomeUnknown, SessionManager
from cutting_proxy import CuttingProxy
from doors import entered, mongodb_doors, opener
from loads import GRACE, Load, often
from servers import MongoServer

DEADLINE = 2.0


@pytest.fixture
def proxy(mongod_url: str) -> Iterator[CuttingProxy]:
    with CuttingProxy(mongod_url) as proxy:
        yield proxy


def test_it_is_killed_and_started_again(mongod: MongoServer, mongod_url: str) -> None:
    times = often(2)
    with Load(mongodb_doors(mongod_url, DEADLINE), deadline=DEADLINE) as load:
        for _ in range(times):
            load.works(0.5)
            mongod.kill()
            mongod.start()
            load.recovers(20)
    load.check(linearizable=True)
    load.tell(f"a mongod by itself killed {times} times")


def test_it_is_frozen(mongod: MongoServer, mongod_url: str) -> None:
    times = min(often(1), 10)
    with Load(mongodb_doors(mongod_url, DEADLINE), deadline=DEADLINE) as load:
        for _ in range(times):
            load.works(0.3)
            mongod.freeze()
            try:
                time.sleep(DEADLINE + 1.5)
            finally:
                mongod.thaw()
            load.recovers(20)
    load.check(linearizable=True)
    assert load.failures["OutcomeUnknown"]
    assert load.failures["BackendUnavailable"]
    load.tell(f"a mongod by itself frozen {times} times for {DEADLINE + 1.5} s")


def test_connections_that_the_network_resets(proxy: CuttingProxy) -> None:
    times, ended = often(5), 0
    with Load(mongodb_doors(proxy.url, DEADLINE), deadline=DEADLINE) as load:
        for _ in range(times):
            load.works(0.2)
            ended += proxy.reset_all()
            load.works(0.1)
            proxy.cuts = 8
            load.recovers(10)
    load.check(linearizable=True)
    load.tell(f"a mongod by itself, {ended} connections reset, and {8 * times} at their answer")


def test_answers_that_get_lost(proxy: CuttingProxy) -> None:
    with Load(mongodb_doors(proxy.url, DEADLINE), deadline=DEADLINE) as load:
        load.works(0.3)
        proxy.is_swallowing = True
        time.sleep(2 * DEADLINE)
        proxy.is_swallowing = False
        load.recovers(20)
    load.check(linearizable=True)
    assert load.failures["OutcomeUnknown"]
    load.tell(f"a mongod by itself, answers swallowed for {2 * DEADLINE} s")


@pytest.mark.parametrize("face", [0, 1], ids=["sync", "async"])
def test_an_answer_that_never_comes_is_unknown_to_writers_and_unavailable_to_readers(
    mongod_url: str, proxy: CuttingProxy, face: int
) -> None:
    with entered(mongodb_doors(proxy.url, DEADLINE)[face]) as sessions:
        issued = sessions.issue("ann", method="password")
        proxy.is_swallowing = True
        began = time.monotonic()
        with pytest.raises(OutcomeUnknown):
            sessions.revoke(issued.session.id)
        assert time.monotonic() - began < DEADLINE + GRACE
        with opener(SessionManager, mongod_url, DEADLINE)() as beside:
            assert not beside.validate(issued.token), "the revocation happened"
        began = time.monotonic()
        with pytest.raises(BackendUnavailable):
            sessions.validate(issued.token)
        assert time.monotonic() - began < DEADLINE + GRACE
        proxy.is_swallowing = False
        assert sessions.validate(issued.token).reason == "unknown"


@pytest.mark.parametrize("delay", [0.1, 2 * DEADLINE], ids=["in time", "too late"])
def test_answers_that_are_late(proxy: CuttingProxy, delay: float) -> None:
    with Load(mongodb_doors(proxy.url, DEADLINE), deadline=DEADLINE) as load:
        load.works(0.3)
        proxy.delay = delay
        time.sleep(3.0)
        proxy.delay = 0.0
        load.recovers(DEADLINE + 2 * delay + 10)
    load.check(linearizable=True)
    assert bool(load.failures) is (delay > DEADLINE)
    load.tell(f"a mongod by itself, each answer {delay} s late")
