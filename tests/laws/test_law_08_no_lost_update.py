"""Every write is one guarded step on named fields: what happens meanwhile survives."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import strategies as st

from coatcheck import Where
from coatcheck_conformance.clock import MILLISECOND
from stages import LONG, PEPPERS, Stage, for_all
from together import at_once, raw
from zoo import Broken, breaking

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


def test_a_change_of_other_fields_just_before_a_write_survives_it(stage: Stage) -> None:
    calls = st.sampled_from(("update", "update_all", "touch", "rewrite"))

    @for_all(stage, call=calls, mine=FIELDS, theirs=OTHER_FIELDS, used=st.integers(0, 10**6))
    def check(call: str, mine: str, theirs: set, used: int) -> None:
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

        hook = {"update_all": "update_where", "rewrite": "replace_key_hash"}.get(call, call)
        if call == "update_all" and stage.subject.required_only:
            hook = "update"
        stage.meanwhile(hook, meanwhile)
        if call == "update":
            assert sessions.update(before.id, **{mine: NEW[mine][0]})
        elif call == "update_all":
            assert sessions.update_all(user_id="user", **{mine: NEW[mine][0]}) == 1
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
        assert stored == expected


def test_two_callers_at_once_do_not_undo_each_other(stage: Stage) -> None:
    pairs = st.sampled_from([(a, b) for a in NEW for b in NEW if a < b])
    calls = st.sampled_from(("update", "update_all"))

    @for_all(stage, pair=pairs, how=calls, touching=st.booleans(), wait=st.integers(60_000, 10**6))
    def check(pair: tuple, how: str, touching: bool, wait: int) -> None:
        sessions = raw(stage.manager())
        issued = _issue(stage, stage.manager())
        stage.clock.move(wait * MILLISECOND)
        update = {
            "update": partial(sessions.update, issued.session.id),
            "update_all": partial(sessions.update_all, user_id="user"),
        }[how]
        calls = [partial(update, **{field: NEW[field][0]}) for field in pair]
        if touching:
            calls.append(partial(sessions.validate, issued.token))
        before = stage.record(issued.session.id)
        assert all(at_once(stage, calls))
        expected = before._replace(**{field: NEW[field][1] for field in pair})
        if touching:
            expected = expected._replace(last_used_at=stage.clock.milliseconds)
        assert stage.record(issued.session.id) == expected


@pytest.mark.parametrize("broken", breaking(8), ids=str)
def test_law_8_is_shown_to_reject(broken: Broken, tmp_path) -> None:
    assert broken.is_rejected_by(globals(), tmp_path) is not None
