"""A change of scopes counts at the next validation, everywhere, and replaces."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from .. import strategies as legal
from ..frame.expecting import equal, identical
from ..frame.registry import check
from ..frame.stage import Stage
from ..frame.trying import for_all

PLACES = st.sampled_from(("here", "elsewhere"))


@check(6)
def the_next_validation_shows_the_new_scopes_and_no_others(stage: Stage) -> None:
    changes = st.lists(
        st.tuples(legal.scope_sets(), PLACES, PLACES, st.sampled_from(("update", "update_all"))),
        min_size=1,
        max_size=4,
    )

    @for_all(stage, first=legal.scope_sets(), changes=changes, wait=st.sampled_from((0, 61)))
    def check(first: frozenset[Any], changes: list[Any], wait: int) -> None:
        managers = {"here": stage.manager(), "elsewhere": stage.elsewhere}
        issued = managers["here"].issue("user", method="password", scopes=first)
        for manager in managers.values():
            equal(manager.validate(issued.token).scopes, first)
        for scopes, writer, reader, how in changes:
            stage.clock.move(timedelta(seconds=wait))
            if how == "update":
                answer = managers[writer].update(issued.session.id, scopes=scopes)
                equal(answer.scopes, scopes)
            else:
                equal(managers[writer].update_all(user_id="user", scopes=scopes), 1)
            equal(managers[reader].validate(issued.token).scopes, scopes)
            equal(managers[reader].get(issued.session.id).scopes, scopes)
            for scope in sorted(scopes ^ first)[:2]:
                number = managers[reader].count(user_id="user", scope=scope)
                equal(number, int(scope in scopes))


@check(6, shares=False)
def the_next_validation_of_another_process_shows_them(stage: Stage) -> None:
    there = stage.neighbour
    changes = st.lists(st.tuples(legal.scope_sets(), st.booleans()), min_size=1, max_size=3)

    @for_all(stage, first=legal.scope_sets(), changes=changes)
    def check(first: frozenset[Any], changes: list[Any]) -> None:
        sessions = stage.manager()
        issued = sessions.issue("user", method="password", scopes=first)
        equal(there.ask("validate", issued.token), sorted(first))
        for scopes, here in changes:
            if here:
                equal(sessions.update(issued.session.id, scopes=scopes).scopes, scopes)
            else:
                identical(there.ask("update", [str(issued.session.id), sorted(scopes)]), True)
            equal(there.ask("validate", issued.token), sorted(scopes), "as it sees them")
            equal(sessions.validate(issued.token).scopes, scopes, "as they are seen here")
