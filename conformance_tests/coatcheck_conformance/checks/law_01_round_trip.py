"""What `issue` returned, `get`, `validate` and `find` return, field for field."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from .. import strategies as legal
from ..clock import START, rounded
from ..frame.expecting import equal
from ..frame.registry import check
from ..frame.stage import Stage
from ..frame.trying import for_all
from ..model import differences, facts_of, same, whole


@check(1)
def what_was_issued_is_read_back_field_for_field(stage: Stage) -> None:
    @for_all(stage, given=legal.issues(START))
    def check(given: dict[str, Any]) -> None:
        sessions = stage.manager()
        issued = sessions.issue(**given)
        first = facts_of(issued.session)
        equal(first.user_id, given["user_id"])
        equal(first.method, given["method"])
        equal(first.scopes, frozenset(given.get("scopes", ())))
        assert same(first.metadata, given.get("metadata", {}))
        equal(first.created_at, rounded(START))
        equal(first.last_used_at, rounded(START))
        for answer in (
            sessions.get(first.id),
            sessions.validate(issued.token, touch=False),
            *sessions.find(user_id=given["user_id"]),
            sessions.validate(issued.token),
        ):
            assert answer, "it is there, and live"
            equal(differences(facts_of(answer), first), {})


@check(1)
def the_ends_are_those_that_were_asked_for_rounded_down(stage: Stage) -> None:
    @for_all(stage, ends=legal.ends(START), microseconds=st.integers(0, 999))
    def check(ends: dict[str, Any], microseconds: int) -> None:
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
        equal(stored.expires_at, end)
        equal(session.expires_at, end)
        equal(stored.inactivity_timeout, None if timeout is None else whole(timeout))
        equal(stored.created_at, now)
        equal(stored.last_used_at, now)


@check(1)
def what_an_update_wrote_is_read_back(stage: Stage) -> None:
    @for_all(stage, scopes=legal.scope_sets(), metadata=legal.metadata(), ends=legal.ends(START))
    def check(scopes: frozenset[Any], metadata: dict[str, Any], ends: dict[str, Any]) -> None:
        sessions = stage.manager()
        issued = sessions.issue("user", method="password", scopes={"old"}, metadata={"old": 1})
        ends.pop("lifetime", None)
        changed = sessions.update(issued.session.id, scopes=scopes, metadata=metadata, **ends)
        stored = facts_of(sessions.get(issued.session.id))
        equal(differences(facts_of(changed), stored), {})
        equal(stored.scopes, scopes)
        assert same(stored.metadata, metadata)
        if ends.get("expires_at"):
            equal(stored.expires_at, rounded(ends["expires_at"]))
        if ends.get("inactivity_timeout"):
            equal(stored.inactivity_timeout, whole(ends["inactivity_timeout"]))


@check(1)
def texts_that_only_look_alike_are_told_apart(stage: Stage) -> None:
    @for_all(stage, users=legal.lookalikes(), scope=st.sampled_from(("read", "Read")))
    def check(users: list[Any], scope: str) -> None:
        sessions = stage.manager()
        ids = {user: sessions.issue(user, method=user, scopes={scope}).session.id for user in users}
        for user in users:
            equal([s.id for s in sessions.find(user_id=user)], [ids[user]])
            equal(sessions.count(user_id=user, method=user), 1)
            equal(sessions.count(user_id=user, scope=scope), 1)
            equal(sessions.count(user_id=user, scope=scope.swapcase()), 0)
            if stage.scans:
                equal([s.id for s in sessions.find(method=user)], [ids[user]])


@check(1)
def what_was_returned_shares_nothing_with_the_store(stage: Stage) -> None:
    @for_all(stage, metadata=legal.metadata())
    def check(metadata: dict[str, Any]) -> None:
        sessions = stage.manager()
        given: dict[str, Any] = {**copy.deepcopy(metadata), "list": [1]}
        expected = copy.deepcopy(given)
        issued = sessions.issue("user", method="password", metadata=given)
        given["list"].append("changed by the caller")
        reads: tuple[Callable[[], Any], ...] = (
            lambda: issued.session,
            lambda: sessions.get(issued.session.id),
            lambda: sessions.validate(issued.token),
        )
        for read in reads:
            answer = read()
            answer.metadata["list"].append("changed by the reader")
            assert same(dict(answer.metadata), expected)
            assert same(dict(read().metadata), expected)
