"""`validate` accepts exactly while live, and every other call has the same boundary."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from .. import strategies as legal
from ..clock import START, rounded
from ..frame.expecting import equal, identical
from ..frame.people import ENDS, everything
from ..frame.registry import check
from ..frame.stage import Stage
from ..frame.trying import for_all
from ..model import Facts, Model, differences, facts_of

SHORT_ENDS = st.sampled_from(ENDS[1:]) | legal.ends(START)
AROUND = st.sampled_from((-1, 0, 0, 1))


def _instant(facts: Facts, which: str, around: int, microseconds: int) -> datetime:
    """An instant next to one of the ends, or any other."""
    timeout = facts.inactivity_timeout
    ends = {
        "valid_until": facts.valid_until,
        "expires_at": facts.expires_at,
        "inactive": None if timeout is None else facts.last_used_at + timeout,
    }
    base = ends[which] or START + timedelta(days=365)
    return base + timedelta(milliseconds=around, microseconds=microseconds)


INSTANT: dict[str, Any] = {
    "which": st.sampled_from(("valid_until", "valid_until", "expires_at", "inactive")),
    "around": AROUND,
    "microseconds": st.sampled_from((0, 1, 999)),
}


@check(2)
def every_read_has_the_same_boundary(stage: Stage) -> None:
    @for_all(stage, ends=SHORT_ENDS, **INSTANT, zone=legal.zones())
    def check(
        ends: dict[str, Any], which: str, around: int, microseconds: int, zone: tzinfo
    ) -> None:
        sessions = stage.manager()
        issued = sessions.issue("user", method="password", **ends)
        facts = facts_of(issued.session)
        now = _instant(facts, which, around, microseconds)
        stage.clock.set(now.astimezone(zone))
        end = facts.end(now)
        answer = sessions.validate(issued.token, touch=False)
        equal(None if answer else answer.reason, end)
        identical(bool(sessions.validate(issued.token)), end is None)
        live = int(end is None)
        equal(len(sessions.find(user_id="user", live=True)), live)
        equal(sessions.count(user_id="user", live=True), live)
        equal(len(sessions.find(user_id="user", live=False)), 1 - live)
        equal(sessions.count(user_id="user", live=False), 1 - live)
        assert sessions.get(facts.id) is not None, "get shows ended ones too"


@check(2)
def every_write_has_the_same_boundary(stage: Stage) -> None:
    only = st.sampled_from(({}, {"inactive": False}, {"expired": False}))

    @for_all(stage, ends=SHORT_ENDS, **INSTANT, only=only)
    def check(
        ends: dict[str, Any], which: str, around: int, microseconds: int, only: dict[str, Any]
    ) -> None:
        sessions = stage.manager()
        model = Model(touch_interval=timedelta(seconds=60))
        users = ("update", "update_all", "touch", "purge")
        ids: dict[str, UUID] = {}
        for user in users:
            issued = sessions.issue(user, method="password", **ends).session
            ids[user] = issued.id
            model.issue(facts_of(issued))
        facts = model.sessions[ids["update"]]
        now = _instant(facts, which, around, microseconds)
        stage.clock.set(now)
        live = facts.end(now) is None
        identical(bool(sessions.update(ids["update"], scopes={"new"})), live)
        equal(sessions.update_all(user_id="update_all", scopes={"new"}), int(live))
        # The hook on its own: of a session that ended the core would not even ask.
        identical(stage.ask("touch", ids["touch"], stage.clock.milliseconds), live)
        for user in users[:2]:
            model.update(ids[user], now, scopes={"new"})
        touched = model.sessions[ids["touch"]]
        if live:
            used = max(rounded(now), touched.last_used_at)
            model.sessions[touched.id] = replace(touched, last_used_at=used)
        stored = everything(stage)
        for session_id, expected in model.sessions.items():
            equal(differences(stored[session_id], expected), {})
        if stage.scans:
            equal(sessions.purge(**only), model.purge(now, **only))
            equal(everything(stage).keys(), model.sessions.keys())


@check(2)
def a_clock_that_jumps_back_makes_no_end_come_sooner(stage: Stage) -> None:
    jumps = st.timedeltas(timedelta(seconds=60), timedelta(days=3650))

    @for_all(stage, ahead=jumps, back=jumps, ends=st.sampled_from(ENDS))
    def check(ahead: timedelta, back: timedelta, ends: dict[str, Any]) -> None:
        sessions = stage.manager()
        issued = sessions.issue("user", method="password", lifetime=timedelta(days=4000),
                                inactivity_timeout=timedelta(days=4000))  # fmt: skip
        gone = sessions.issue("user", method="password", lifetime=timedelta(seconds=1))
        stage.clock.move(ahead)
        equal(sessions.validate(issued.token).last_used_at, rounded(stage.clock()))
        used = rounded(stage.clock())
        if stage.scans:
            equal(sessions.purge(), 1)
        else:
            identical(sessions.revoke(gone.session.id), True)
        stage.clock.move(-ahead - back)
        answer = sessions.validate(issued.token)
        equal(answer.last_used_at, used)
        equal(sessions.get(answer.id).last_used_at, used)
        equal(answer.expires_at, issued.session.expires_at)
        equal(sessions.validate(gone.token).reason, "unknown", "what was removed stays away")
        stage.clock.set(issued.session.expires_at)
        equal(sessions.validate(issued.token).reason, "expired")
