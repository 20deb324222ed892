"""`validate` accepts exactly while live, and every other call has the same boundary."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import strategies as st

from coatcheck_conformance import strategies as legal
from coatcheck_conformance.clock import START, rounded
from coatcheck_conformance.model import Model, differences, facts_of
from people import ENDS, everything
from stages import Stage, for_all
from zoo import Broken, breaking

SHORT_ENDS = st.sampled_from(ENDS[1:]) | legal.ends(START)
AROUND = st.sampled_from((-1, 0, 0, 1))


def _instant(facts, which: str, around: int, microseconds: int):
    """An instant next to one of the ends, or any other."""
    ends = {
        "valid_until": facts.valid_until,
        "expires_at": facts.expires_at,
        "inactive": facts.inactivity_timeout and facts.last_used_at + facts.inactivity_timeout,
    }
    base = ends[which] or START + timedelta(days=365)
    return base + timedelta(milliseconds=around, microseconds=microseconds)


INSTANT = {
    "which": st.sampled_from(("valid_until", "valid_until", "expires_at", "inactive")),
    "around": AROUND,
    "microseconds": st.sampled_from((0, 1, 999)),
}


def test_every_read_has_the_same_boundary(stage: Stage) -> None:
    @for_all(stage, ends=SHORT_ENDS, **INSTANT, zone=legal.zones())
    def check(ends: dict, which: str, around: int, microseconds: int, zone) -> None:
        sessions = stage.manager()
        issued = sessions.issue("user", method="password", **ends)
        facts = facts_of(issued.session)
        now = _instant(facts, which, around, microseconds)
        stage.clock.set(now.astimezone(zone))
        end = facts.end(now)
        answer = sessions.validate(issued.token, touch=False)
        assert (None if answer else answer.reason) == end
        assert bool(sessions.validate(issued.token)) is (end is None)
        live = int(end is None)
        assert len(sessions.find(live=True)) == sessions.count(live=True) == live
        assert len(sessions.find(live=False)) == sessions.count(live=False) == 1 - live
        assert sessions.get(facts.id) is not None, "get shows ended ones too"


def test_every_write_has_the_same_boundary(stage: Stage) -> None:
    only = st.sampled_from(({}, {"inactive": False}, {"expired": False}))

    @for_all(stage, ends=SHORT_ENDS, **INSTANT, only=only)
    def check(ends: dict, which: str, around: int, microseconds: int, only: dict) -> None:
        sessions = stage.manager()
        model = Model(touch_interval=timedelta(seconds=60))
        users = ("update", "update_all", "touch", "purge")
        ids = {}
        for user in users:
            facts = facts_of(sessions.issue(user, method="password", **ends).session)
            ids[user] = facts.id
            model.issue(facts)
        now = _instant(facts, which, around, microseconds)
        stage.clock.set(now)
        live = facts.end(now) is None
        assert bool(sessions.update(ids["update"], scopes={"new"})) is live
        assert sessions.update_all(user_id="update_all", scopes={"new"}) == int(live)
        # The hook on its own: of a session that ended the core would not even ask.
        assert stage.ask("touch", ids["touch"], stage.clock.milliseconds) is live
        for user in users[:2]:
            model.update(ids[user], now, scopes={"new"})
        touched = model.sessions[ids["touch"]]
        if live:
            used = max(rounded(now), touched.last_used_at)
            model.sessions[touched.id] = replace(touched, last_used_at=used)
        stored = everything(stage)
        for session_id, expected in model.sessions.items():
            assert differences(stored[session_id], expected) == {}
        assert sessions.purge(**only) == model.purge(now, **only)
        assert everything(stage).keys() == model.sessions.keys()


def test_a_clock_that_jumps_back_makes_no_end_come_sooner(stage: Stage) -> None:
    jumps = st.timedeltas(timedelta(seconds=60), timedelta(days=3650))

    @for_all(stage, ahead=jumps, back=jumps, ends=st.sampled_from(ENDS))
    def check(ahead: timedelta, back: timedelta, ends: dict) -> None:
        sessions = stage.manager()
        issued = sessions.issue("user", method="password", lifetime=timedelta(days=4000),
                                inactivity_timeout=timedelta(days=4000))  # fmt: skip
        gone = sessions.issue("user", method="password", lifetime=timedelta(seconds=1))
        stage.clock.move(ahead)
        assert sessions.validate(issued.token).last_used_at == rounded(stage.clock())
        used = rounded(stage.clock())
        assert sessions.purge() == 1
        stage.clock.move(-ahead - back)
        answer = sessions.validate(issued.token)
        assert answer.last_used_at == sessions.get(answer.id).last_used_at == used
        assert answer.expires_at == issued.session.expires_at
        assert sessions.validate(gone.token).reason == "unknown", "what was purged stays away"
        stage.clock.set(issued.session.expires_at)
        assert sessions.validate(issued.token).reason == "expired"


@pytest.mark.parametrize("broken", breaking(2), ids=str)
def test_law_2_is_shown_to_reject(broken: Broken, tmp_path) -> None:
    assert broken.is_rejected_by(globals(), tmp_path) is not None
