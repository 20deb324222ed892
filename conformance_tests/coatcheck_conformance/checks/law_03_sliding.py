"""A use is recorded when the interval has passed, so that regular use keeps a session."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from .. import strategies as legal
from ..clock import MILLISECOND, rounded
from ..frame.expecting import equal
from ..frame.registry import check
from ..frame.stage import Stage
from ..frame.trying import for_all
from ..model import facts_of, whole

INTERVALS = st.sampled_from([timedelta(seconds=s) for s in (0, 0.001, 1, 60, 3600)])
TIMEOUTS = st.one_of(
    st.none(),
    st.sampled_from([timedelta(seconds=s) for s in (1, 1.009, 10, 599, 600, 601, 36_000)]),
    legal.spans(timedelta(seconds=1), timedelta(days=30)),
)


@check(3)
def a_use_is_recorded_exactly_when_the_interval_has_passed(stage: Stage) -> None:
    elapsed = st.sampled_from((-1, 0, 1)) | st.integers(0, 10_000_000)

    @for_all(stage, interval=INTERVALS, timeout=TIMEOUTS, elapsed=elapsed, again=st.booleans())
    def check(interval: timedelta, timeout: timedelta | None, elapsed: int, again: bool) -> None:
        sessions = stage.manager(touch_interval=interval)
        issued = sessions.issue(
            "user", method="password", lifetime=None, inactivity_timeout=timeout
        )
        before = facts_of(issued.session)
        due_after = before.interval(interval)
        wait = due_after + elapsed * MILLISECOND if elapsed < 2 else elapsed * MILLISECOND
        assume(wait >= timedelta(0))
        stage.clock.move(wait)
        now = rounded(stage.clock())
        assume(before.end(now) is None)
        answer = sessions.validate(issued.token)
        expected = now if wait >= due_after else before.last_used_at
        equal(answer.last_used_at, expected)
        equal(sessions.get(before.id).last_used_at, expected)
        if again:
            stage.relay.calls.clear()
            equal(sessions.validate(issued.token).last_used_at, expected)
            equal(stage.relay.writes, ["touch"] if now - expected >= due_after else [])


@check(3)
def a_tenth_of_a_short_timeout_is_long_enough(stage: Stage) -> None:
    @for_all(stage, timeout=st.integers(1000, 599_999), early=st.sampled_from((0, 1)))
    def check(timeout: int, early: int) -> None:
        sessions = stage.manager()
        issued = sessions.issue(
            "user", method="password", lifetime=None, inactivity_timeout=timeout * MILLISECOND
        )
        stage.clock.move((timeout // 10 - early) * MILLISECOND)
        used = sessions.validate(issued.token).last_used_at
        expected = issued.session.last_used_at if early else rounded(stage.clock())
        equal(used, expected, "a tenth, rounded down to the millisecond")


@check(3)
def uses_a_little_less_than_the_timeout_apart_keep_a_session_for_ever(stage: Stage) -> None:
    shares = st.lists(st.floats(0, 1) | st.just(1.0), min_size=1, max_size=10)

    @for_all(stage, interval=INTERVALS, timeout=TIMEOUTS.filter(bool), shares=shares)
    def check(interval: timedelta, timeout: timedelta, shares: list[Any]) -> None:
        sessions = stage.manager(touch_interval=interval)
        issued = sessions.issue(
            "user", method="password", lifetime=None, inactivity_timeout=timeout
        )
        # With an interval of nothing, a rest as long as the timeout is still too long (law 2).
        interval = max(facts_of(issued.session).interval(interval), MILLISECOND)
        longest = whole(timeout) - interval
        for share in shares:
            stage.clock.move(whole(longest * share))
            assert sessions.validate(issued.token), "it was used often enough"
        used = sessions.get(issued.session.id).last_used_at
        stage.clock.set(used + whole(timeout))
        equal(sessions.validate(issued.token).reason, "inactive")


@check(3)
def a_validation_without_touch_writes_nothing_and_keeps_nothing_alive(stage: Stage) -> None:
    @for_all(stage, timeout=TIMEOUTS, waits=st.lists(st.floats(0, 0.3), min_size=1, max_size=4))
    def check(timeout: timedelta | None, waits: list[Any]) -> None:
        sessions = stage.manager()
        issued = sessions.issue("user", method="password", inactivity_timeout=timeout)
        end = issued.session.valid_until
        assert end is not None
        stored = stage.record(issued.session.id)
        stage.relay.calls.clear()
        for share in waits:
            stage.clock.move((end - stage.clock()) * share)
            assert sessions.validate(issued.token, touch=False)
        equal(stage.relay.writes, [])
        equal(stage.record(issued.session.id), stored)
        stage.clock.set(end)
        assert not sessions.validate(issued.token, touch=False)
