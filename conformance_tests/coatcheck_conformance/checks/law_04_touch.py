"""A touch never moves back, changes nothing else, and comes after the secret was verified."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from coatcheck import Where

from ..clock import LONG, MILLISECOND, rounded
from ..frame.expecting import equal, identical
from ..frame.people import ENDS
from ..frame.registry import check
from ..frame.spelling import spell, unspell
from ..frame.stage import Stage
from ..frame.trying import for_all
from ..model import differences, facts_of

LATER = st.integers(60_000, 10**9)


@check(4)
def last_used_at_never_moves_back(stage: Stage) -> None:
    @for_all(stage, first=LATER, second=LATER, racing=st.booleans())
    def check(first: int, second: int, racing: bool) -> None:
        sessions = stage.manager()
        issued = sessions.issue("user", method="password", lifetime=None, inactivity_timeout=LONG)
        start, session_id = stage.clock.milliseconds, issued.session.id

        def touch_now() -> object:
            return stage.ask("touch", session_id, start + second)

        if racing:
            stage.meanwhile("touch", touch_now)
            stage.clock.move(first * MILLISECOND)
            assert sessions.validate(issued.token)
        else:
            identical(stage.ask("touch", session_id, start + first), True)
            identical(touch_now(), True, "it exists and is live, though it was used later already")
        equal(stage.record(session_id).last_used_at, start + max(first, second))


@check(4)
def a_touch_changes_nothing_else_whatever_happens_meanwhile(stage: Stage) -> None:
    changes = st.sampled_from(
        (
            {},
            {"scopes": frozenset({"new"})},
            {"metadata": '{"new":1}'},
            {"expires_at": 4_000_000_000_000},
            {"expires_at": None},
            {"inactivity_timeout": 7_200_000},
            {"inactivity_timeout": None},
        )
    )

    @for_all(stage, changes=changes, ends=st.sampled_from((None, LONG)), wait=LATER)
    def check(changes: dict[str, Any], ends: timedelta | None, wait: int) -> None:
        sessions = stage.manager()
        issued = sessions.issue("user", method="password", scopes={"old"}, metadata={"old": 0},
                                lifetime=ends, inactivity_timeout=ends)  # fmt: skip
        before = stage.record(issued.session.id)
        if changes:
            stage.meanwhile("touch", lambda: stage.ask("update", before.id, changes, Where()))
        stage.clock.move(timedelta(milliseconds=min(wait, 3_000_000)))
        assert sessions.validate(issued.token)
        expected = before._replace(**changes, last_used_at=stage.clock.milliseconds)
        equal(stage.record(issued.session.id), expected)


@check(4)
def a_session_that_vanished_before_its_touch_is_unknown(stage: Stage) -> None:
    @for_all(stage, ends=st.sampled_from(ENDS), wait=st.integers(1000, 9999), purge=st.booleans())
    def check(ends: dict[str, Any], wait: int, purge: bool) -> None:
        sessions = stage.manager(touch_interval=timedelta(0))
        issued = sessions.issue("user", method="password", **ends)
        stage.clock.move(wait * MILLISECOND)
        stage.meanwhile("touch", lambda: stage.ask("delete", issued.session.id, Where()))
        answer = sessions.validate(issued.token)
        assert not answer
        equal((answer.reason, answer.session_id), ("unknown", issued.session.id))
        assert stage.record(issued.session.id) is None


@check(4)
def only_the_right_secret_is_a_use(stage: Stage) -> None:
    @for_all(stage, flip=st.integers(0, 32 * 8 - 1), wait=LATER, extra=st.binary(max_size=4))
    def check(flip: int, wait: int, extra: bytes) -> None:
        sessions = stage.manager()
        issued = sessions.issue("user", method="password", lifetime=None, inactivity_timeout=LONG)
        stage.clock.move(wait * MILLISECOND)
        session_id, secret = unspell(issued.token)
        wrong = (int.from_bytes(secret) ^ 1 << flip).to_bytes(32) + extra
        before = stage.record(session_id)
        stage.relay.calls.clear()
        equal(sessions.validate(spell(session_id, wrong)).reason, "wrong_secret")
        equal(stage.relay.writes, [])
        equal(stage.record(session_id), before)
        touched = sessions.validate(issued.token)
        expected = replace(facts_of(issued.session), last_used_at=rounded(stage.clock()))
        equal(differences(facts_of(touched), expected), {})
