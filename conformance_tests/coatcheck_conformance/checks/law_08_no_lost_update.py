"""Every write is one guarded step on named fields: what happens meanwhile survives."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from hypothesis import strategies as st

from coatcheck import Where

from ..clock import LONG, MILLISECOND
from ..frame.expecting import equal
from ..frame.registry import check
from ..frame.stage import PEPPERS, Stage
from ..frame.together import at_once, raw
from ..frame.trying import for_all

HOUR = timedelta(hours=1)
# By field: what a caller gives, and what a backend stores.
NEW: dict[str, tuple[Any, Any]] = {
    "scopes": ({"new"}, frozenset({"new"})),
    "metadata": ({"new": 1}, '{"new":1}'),
    "expires_at": (None, None),
    "inactivity_timeout": (HOUR, 3_600_000),
}
FIELDS = st.sampled_from(sorted(NEW))
OTHER_FIELDS = st.sets(FIELDS, min_size=1, max_size=3)


def _issue(stage: Stage, manager: Any) -> Any:
    return manager.issue("user", method="password", scopes={"old"}, metadata={"old": 0},
                         lifetime=LONG, inactivity_timeout=LONG)  # fmt: skip


@check(8)
def a_change_of_other_fields_just_before_a_write_survives_it(stage: Stage) -> None:
    calls = st.sampled_from(("update", "update_all", "touch", "rewrite"))

    @for_all(stage, call=calls, mine=FIELDS, theirs=OTHER_FIELDS, used=st.integers(0, 10**6))
    def check(call: str, mine: str, theirs: set[Any], used: int) -> None:
        sessions = stage.manager(fallback_peppers=(PEPPERS[1],))
        issued = _issue(stage, stage.manager(pepper=PEPPERS[1]))
        stage.clock.move(100_000 * MILLISECOND)
        before = stage.record(issued.session.id)
        now = stage.clock.milliseconds
        others = {name: NEW[name][1] for name in theirs - {mine}}

        def meanwhile() -> None:
            if others:
                assert stage.ask("update", before.id, others, Where())
            assert stage.ask("touch", before.id, now + used)

        hook = "replace_key_hash" if call == "rewrite" else stage.hook_of(call)
        stage.meanwhile(hook, meanwhile)
        if call == "update":
            assert sessions.update(before.id, **{mine: NEW[mine][0]})
        elif call == "update_all":
            equal(sessions.update_all(user_id="user", **{mine: NEW[mine][0]}), 1)
        else:
            mine = ""
            assert sessions.validate(issued.token)
        assert not stage.relay.before, "it did happen in between"
        stored = stage.record(before.id)
        expected = before._replace(**others, last_used_at=now + used)
        if mine:
            expected = expected._replace(**{mine: NEW[mine][1]})
        else:
            assert stored.pepper_id != before.pepper_id
            expected = expected._replace(key_hash=stored.key_hash, pepper_id=stored.pepper_id)
        equal(stored, expected)


@check(8)
def two_callers_at_once_do_not_undo_each_other(stage: Stage) -> None:
    pairs = st.sampled_from([(a, b) for a in NEW for b in NEW if a < b])
    hows = st.sampled_from(("update", "update_all"))

    @for_all(stage, pair=pairs, how=hows, touching=st.booleans(), wait=st.integers(60_000, 10**6))
    def check(pair: tuple[Any, ...], how: str, touching: bool, wait: int) -> None:
        sessions = raw(stage.manager())
        issued = _issue(stage, stage.manager())
        stage.clock.move(wait * MILLISECOND)
        update = {
            "update": partial(sessions.update, issued.session.id),
            "update_all": partial(sessions.update_all, user_id="user"),
        }[how]
        calls: list[Callable[[], Any]] = [
            partial(update, **{field: NEW[field][0]}) for field in pair
        ]
        if touching:
            calls.append(partial(sessions.validate, issued.token))
        before = stage.record(issued.session.id)
        assert all(at_once(stage, calls))
        expected = before._replace(**{field: NEW[field][1] for field in pair})
        if touching:
            expected = expected._replace(last_used_at=stage.clock.milliseconds)
        equal(stage.record(issued.session.id), expected)
