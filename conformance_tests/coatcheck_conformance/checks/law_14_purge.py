"""Purge removes exactly what is not live at that instant, and says how many."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from hypothesis import strategies as st

from coatcheck import Capability, Where

from ..frame.expecting import equal
from ..frame.people import MOMENTS, SECOND, everything, people, populate
from ..frame.registry import check
from ..frame.stage import Stage
from ..frame.together import at_once, raw
from ..frame.trying import for_all

BATCHES = st.sampled_from((1, 2, 3, 1000))


@check(14)
def purge_removes_the_ended_ones_that_were_asked_for_and_no_others(stage: Stage) -> None:
    stage.need(Capability.SCAN)

    @for_all(stage, drawn=people(0, 8), moment=st.sampled_from(MOMENTS), expired=st.booleans(),
             inactive=st.booleans(), batch=BATCHES)  # fmt: skip
    def check(
        drawn: list[Any], moment: timedelta, expired: bool, inactive: bool, batch: int
    ) -> None:
        population = populate(stage, drawn)
        stage.clock.move(moment)
        only = {"expired": expired, "inactive": inactive}
        number = stage.manager().purge(batch_size=batch, **only)
        equal(number, population.model.purge(stage.clock(), **only))
        equal(everything(stage).keys(), population.model.sessions.keys())
        equal(stage.manager().purge(batch_size=batch, **only), 0)


@check(14)
def what_is_used_or_prolonged_just_before_its_removal_is_kept(stage: Stage) -> None:
    stage.need(Capability.SCAN)

    @for_all(stage, others=st.integers(0, 3), how=st.sampled_from(("touch", "expires_at", "both")),
             batch=BATCHES, used=st.integers(1, 10_000))  # fmt: skip
    def check(others: int, how: str, batch: int, used: int) -> None:
        sessions = stage.manager()
        saved = sessions.issue("saved", method="password", lifetime=20 * SECOND,
                               inactivity_timeout=10 * SECOND).session  # fmt: skip
        for _ in range(others):
            sessions.issue("other", method="password", lifetime=5 * SECOND)
        start = stage.clock.milliseconds
        # Another manager, whose call began while the session was live, is faster.
        stage.clock.move(10 * SECOND)
        if how == "touch":
            saving = partial(stage.ask, "touch", saved.id, start + 10_000 - used)
            used_at = start + 10_000 - used
        else:
            end = {"expires_at": start + 40_000, "inactivity_timeout": 30_000}
            saving = partial(stage.ask, "update", saved.id, end, Where())
            used_at = start
        stage.meanwhile(stage.hook_of("purge"), saving)
        number = sessions.purge(batch_size=batch)
        kept = used_at > start or how != "touch"
        equal(number, others + (not kept))
        equal([session.user_id for session in sessions.find()], ["saved"] * kept)


@check(14)
def two_purges_at_once_remove_each_session_once(stage: Stage) -> None:
    stage.need(Capability.SCAN)

    @for_all(stage, drawn=people(1, 6), moment=st.sampled_from(MOMENTS), batch=BATCHES)
    def check(drawn: list[Any], moment: timedelta, batch: int) -> None:
        population = populate(stage, drawn)
        stage.clock.move(moment)
        purge = partial(raw(stage.manager()).purge, batch_size=batch)
        equal(sum(at_once(stage, [purge, purge])), population.model.purge(stage.clock()))
        equal(everything(stage).keys(), population.model.sessions.keys())
