"""What `issue` returned, `get`, `validate` and `find` return, field for field."""

from __future__ import annotations

import copy
from datetime import timedelta

import pytest
from hypothesis import strategies as st

from coatcheck_conformance import strategies as legal
from coatcheck_conformance.clock import START, rounded
from coatcheck_conformance.model import differences, facts_of, same, whole
from stages import Stage, for_all
from zoo import Broken, breaking


def test_what_was_issued_is_read_back_field_for_field(stage: Stage) -> None:
    @for_all(stage, given=legal.issues(START))
    def check(given: dict) -> None:
        sessions = stage.manager()
        issued = sessions.issue(**given)
        first = facts_of(issued.session)
        assert first.user_id == given["user_id"]
        assert first.method == given["method"]
        assert first.scopes == frozenset(given.get("scopes", ()))
        assert same(first.metadata, given.get("metadata", {}))
        assert first.created_at == first.last_used_at == rounded(START)
        for answer in (
            sessions.get(first.id),
            sessions.validate(issued.token, touch=False),
            *sessions.find(user_id=given["user_id"]),
            sessions.validate(issued.token),
        ):
            assert answer, "it is there, and live"
            assert differences(facts_of(answer), first) == {}


def test_the_ends_are_those_that_were_asked_for_rounded_down(stage: Stage) -> None:
    @for_all(stage, ends=legal.ends(START), microseconds=st.integers(0, 999))
    def check(ends: dict, microseconds: int) -> None:
        stage.clock.move(timedelta(microseconds=microseconds))
        now = rounded(stage.clock())
        session = stage.manager().issue("user", method="password", **ends).session
        stored = stage.manager().get(session.id)
        if "expires_at" in ends:
            end = ends["expires_at"] and rounded(ends["expires_at"])
        else:
            lifetime = ends.get("lifetime", timedelta(days=30))
            end = None if lifetime is None else now + whole(lifetime)
        timeout = ends.get("inactivity_timeout", timedelta(days=7))
        assert stored.expires_at == session.expires_at == end
        assert stored.inactivity_timeout == (None if timeout is None else whole(timeout))
        assert stored.created_at == stored.last_used_at == now


def test_what_an_update_wrote_is_read_back(stage: Stage) -> None:
    @for_all(stage, scopes=legal.scope_sets(), metadata=legal.metadata(), ends=legal.ends(START))
    def check(scopes: frozenset, metadata: dict, ends: dict) -> None:
        sessions = stage.manager()
        issued = sessions.issue("user", method="password", scopes={"old"}, metadata={"old": 1})
        ends.pop("lifetime", None)
        changed = sessions.update(issued.session.id, scopes=scopes, metadata=metadata, **ends)
        stored = facts_of(sessions.get(issued.session.id))
        assert differences(facts_of(changed), stored) == {}
        assert stored.scopes == scopes
        assert same(stored.metadata, metadata)
        if ends.get("expires_at"):
            assert stored.expires_at == rounded(ends["expires_at"])
        if ends.get("inactivity_timeout"):
            assert stored.inactivity_timeout == whole(ends["inactivity_timeout"])


def test_texts_that_only_look_alike_are_told_apart(stage: Stage) -> None:
    @for_all(stage, users=legal.lookalikes(), scope=st.sampled_from(("read", "Read")))
    def check(users: list, scope: str) -> None:
        sessions = stage.manager()
        ids = {user: sessions.issue(user, method=user, scopes={scope}).session.id for user in users}
        for user in users:
            assert [s.id for s in sessions.find(user_id=user)] == [ids[user]]
            assert [s.id for s in sessions.find(method=user)] == [ids[user]]
            assert sessions.count(user_id=user, method=user) == 1
        other = {"read": "Read", "Read": "read"}[scope]
        assert sessions.count(scope=other) == 0
        assert sessions.count(scope=scope) == len(users)


def test_what_was_returned_shares_nothing_with_the_store(stage: Stage) -> None:
    @for_all(stage, metadata=legal.metadata())
    def check(metadata: dict) -> None:
        sessions = stage.manager()
        given = {**copy.deepcopy(metadata), "list": [1]}
        expected = copy.deepcopy(given)
        issued = sessions.issue("user", method="password", metadata=given)
        given["list"].append("changed by the caller")
        for read in (
            lambda: issued.session,
            lambda: sessions.get(issued.session.id),
            lambda: sessions.validate(issued.token),
        ):
            answer = read()
            answer.metadata["list"].append("changed by the reader")
            assert same(dict(answer.metadata), expected)
            assert same(dict(read().metadata), expected)


@pytest.mark.parametrize("broken", breaking(1), ids=str)
def test_law_1_is_shown_to_reject(broken: Broken, tmp_path) -> None:
    assert broken.is_rejected_by(globals(), tmp_path) is not None
