"""Nothing but `issue` creates a session, and an ended one never becomes live."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from coatcheck import DuplicateSession, Where

from ..clock import LONG, MILLISECOND
from ..frame.expecting import equal, raises
from ..frame.people import ENDS, SECOND, everything
from ..frame.registry import check
from ..frame.stage import PEPPERS, Stage
from ..frame.trying import for_all

LIFTS: tuple[dict[str, Any], ...] = (
    {"scopes": {"new"}},
    {"metadata": {"new": 1}},
    {"expires_at": None},
    {"inactivity_timeout": None},
    {"expires_at": None, "inactivity_timeout": None},
    {"inactivity_timeout": LONG},
)


def _call(stage: Stage, call: str, issued: Any, fields: dict[str, Any]) -> Any:
    """One of the calls that write, under a pepper that makes a validation rewrite the hash."""
    sessions = stage.manager(pepper=PEPPERS[1], fallback_peppers=(PEPPERS[0],))
    if call == "update":
        return sessions.update(issued.session.id, **fields)
    if call == "update_all":
        return sessions.update_all(user_id="user", **fields)
    if call == "touch hook":
        return stage.ask("touch", issued.session.id, stage.clock.milliseconds)
    return sessions.validate(issued.token)


CALLS = st.sampled_from(("update", "update_all", "validate", "touch hook"))


@check(9)
def what_has_ended_stays_ended_whatever_is_called(stage: Stage) -> None:
    attempts = st.lists(st.tuples(CALLS, st.sampled_from(LIFTS), st.integers(0, 5000)),
                        min_size=1, max_size=4)  # fmt: skip

    @for_all(stage, ends=st.sampled_from(ENDS[1:]), attempts=attempts)
    def check(ends: dict[str, Any], attempts: list[Any]) -> None:
        issued = stage.manager().issue("user", method="password", **ends)
        stage.clock.set(issued.session.valid_until)
        before = stage.record(issued.session.id)
        for call, fields, wait in attempts:
            assert not _call(stage, call, issued, fields), f"{call} on an ended session"
            equal(stage.record(issued.session.id), before)
            stage.clock.move(wait * MILLISECOND)


@check(9)
def what_is_revoked_just_before_a_write_is_not_written_back(stage: Stage) -> None:
    @for_all(stage, call=CALLS, fields=st.sampled_from(LIFTS), wait=st.integers(0, 10**6),
             late=st.booleans(), others=st.integers(0, 2))  # fmt: skip
    def check(call: str, fields: dict[str, Any], wait: int, late: bool, others: int) -> None:
        issued = stage.manager().issue("user", method="password")
        kept = {stage.manager().issue("u2", method="x").session.id for _ in range(others)}
        stage.clock.move(wait * MILLISECOND)
        hook = stage.hook_of(call)
        if call == "validate":
            hook = "replace_key_hash" if late else "touch"
        stage.meanwhile(hook, lambda: stage.ask("delete", issued.session.id, Where()))
        _call(stage, call, issued, fields)
        if hook in stage.relay.before:  # no touch was due
            stage.relay.before.pop(hook)()
        assert stage.record(issued.session.id) is None
        equal(set(everything(stage)), kept)
        equal(_call(stage, "validate", issued, {}).reason, "unknown")


@check(9)
def what_ends_just_before_a_write_is_not_brought_back(stage: Stage) -> None:
    shorter = st.sampled_from(({"expires_at": 0}, {"inactivity_timeout": 1000}))

    calls = CALLS.filter(lambda call: call != "touch hook")

    @for_all(stage, call=calls, fields=st.sampled_from(LIFTS), shorter=shorter,
             wait=st.integers(1000, 10**6))  # fmt: skip
    def check(call: str, fields: dict[str, Any], shorter: dict[str, Any], wait: int) -> None:
        issued = stage.manager(touch_interval=SECOND).issue("user", method="password")
        stage.clock.move(wait * MILLISECOND)
        changes = {
            name: stage.clock.milliseconds if name == "expires_at" else value
            for name, value in shorter.items()
        }
        hook = "touch" if call == "validate" else stage.hook_of(call)
        stage.meanwhile(hook, lambda: stage.ask("update", issued.session.id, changes, Where()))
        if call == "validate":
            stage.manager(touch_interval=SECOND).validate(issued.token)
        else:
            assert not _call(stage, call, issued, fields)
        assert not stage.relay.before, "it did happen in between"
        stored = stage.record(issued.session.id)
        assert stored.state(stage.clock.milliseconds) != "live"
        equal(stored.scopes, issued.session.scopes)
        for name, value in changes.items():
            equal(getattr(stored, name), value, "the shortening holds")
        assert not stage.manager().validate(issued.token)


@check(9)
def a_shortening_holds_against_a_touch_that_read_the_session_before(stage: Stage) -> None:
    shorter = st.sampled_from(("expires_at", "inactivity_timeout"))

    @for_all(stage, name=shorter, wait=st.integers(60_000, 10**6), left=st.integers(1, 10**6))
    def check(name: str, wait: int, left: int) -> None:
        issued = stage.manager().issue("user", method="password")
        stage.clock.move(wait * MILLISECOND)
        now = stage.clock.milliseconds
        value = now + left if name == "expires_at" else max(wait + left, 1000)
        changes = {name: value}
        stage.meanwhile("touch", lambda: stage.ask("update", issued.session.id, changes, Where()))
        assert stage.manager().validate(issued.token)
        stored = stage.record(issued.session.id)
        equal(getattr(stored, name), value)
        equal(stored.last_used_at, now)
        stage.clock.move(left * MILLISECOND)
        if name == "inactivity_timeout":
            stage.clock.move((value - left) * MILLISECOND)
        assert not stage.manager().validate(issued.token)


@check(9)
def an_id_that_exists_cannot_be_inserted_again(stage: Stage) -> None:
    fields = st.sampled_from(("scopes", "user_id", "last_used_at", "key_hash", "expires_at"))

    @for_all(stage, field=fields, wait=st.integers(0, 10**9), ends=st.sampled_from(ENDS))
    def check(field: str, wait: int, ends: dict[str, Any]) -> None:
        issued = stage.manager().issue("user", method="password", **ends)
        before = stage.record(issued.session.id)
        others = {"scopes": frozenset({"x"}), "last_used_at": wait, "expires_at": None}
        again = before._replace(**{field: others.get(field, "other")})
        with raises(DuplicateSession):
            stage.ask("insert", again)
        equal(stage.record(issued.session.id), before)
