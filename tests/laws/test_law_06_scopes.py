"""A change of scopes counts at the next validation, everywhere, and replaces."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import strategies as st

from coatcheck_conformance import strategies as legal
from stages import Stage, for_all
from zoo import Broken, breaking

PLACES = st.sampled_from(("here", "elsewhere"))


def test_the_next_validation_shows_the_new_scopes_and_no_others(stage: Stage) -> None:
    changes = st.lists(
        st.tuples(legal.scope_sets(), PLACES, PLACES, st.sampled_from(("update", "update_all"))),
        min_size=1,
        max_size=4,
    )

    @for_all(stage, first=legal.scope_sets(), changes=changes, wait=st.sampled_from((0, 61)))
    def check(first: frozenset, changes: list, wait: int) -> None:
        managers = {"here": stage.manager(), "elsewhere": stage.elsewhere}
        issued = managers["here"].issue("user", method="password", scopes=first)
        for manager in managers.values():
            assert manager.validate(issued.token).scopes == first
        for scopes, writer, reader, how in changes:
            stage.clock.move(timedelta(seconds=wait))
            if how == "update":
                answer = managers[writer].update(issued.session.id, scopes=scopes)
                assert answer.scopes == scopes
            else:
                assert managers[writer].update_all(user_id="user", scopes=scopes) == 1
            assert managers[reader].validate(issued.token).scopes == scopes
            assert managers[reader].get(issued.session.id).scopes == scopes
            for scope in sorted(scopes ^ first)[:2]:
                assert managers[reader].count(scope=scope) == int(scope in scopes)


@pytest.mark.parametrize("broken", breaking(6), ids=str)
def test_law_6_is_shown_to_reject(broken: Broken, tmp_path) -> None:
    assert broken.is_rejected_by(globals(), tmp_path) is not None
