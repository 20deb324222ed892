"""What one face wrote the other reads, in every store, by way of every driver."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coatcheck import AsyncSessionManager, SessionManager
from coatcheck_conformance.clock import Clock
from coatcheck_conformance.faces import BlockingManager
from coatcheck_conformance.strategies import issues, metadata, scope_sets

PEPPER = "a pepper of the tests of parity, long enough to be one of the good ones"
DRIVERS = ("sqlite", "postgresql", "postgresql+asyncpg", "mongodb")
CLOCK = Clock()


@pytest.mark.parametrize("driver", DRIVERS)
def test_what_one_face_wrote_the_other_reads(driver: str, urls: dict[str, str]) -> None:
    """Issue, change, touch, list and revoke, each by one face and seen by the other."""
    name = driver.partition("+")[0]
    url = urls[name].replace(name, driver, 1)
    options: dict[str, Any] = {"pepper": PEPPER, "clock": CLOCK}
    with asyncio.Runner() as runner, SessionManager.open(url, **options) as blocking:
        awaiting: Any = BlockingManager(AsyncSessionManager.open(url, **options), runner)
        awaiting.start()
        try:
            _try_both_ways(blocking, awaiting)
        finally:
            awaiting.close()


def _try_both_ways(blocking: Any, awaiting: Any) -> None:
    @settings(
        max_examples=25,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(issue=issues(CLOCK()), scopes=scope_sets(), data=metadata(), turned=st.booleans())
    def check(issue: dict[str, Any], scopes: frozenset[str], data: Any, turned: bool) -> None:
        CLOCK.reset()
        writer, reader = (awaiting, blocking) if turned else (blocking, awaiting)
        issued = writer.issue(**issue)
        session_id = issued.session.id
        assert reader.get(session_id) == issued.session
        assert reader.validate(issued.token, touch=False) == issued.session
        changed = reader.update(session_id, scopes=scopes, metadata=data)
        assert writer.validate(issued.token, touch=False) == changed
        user_id = issued.session.user_id
        assert writer.find(user_id=user_id) == reader.find(user_id=user_id) == [changed]
        assert reader.revoke(session_id)
        assert not writer.validate(issued.token)
        assert not writer.revoke(session_id)

    check()
