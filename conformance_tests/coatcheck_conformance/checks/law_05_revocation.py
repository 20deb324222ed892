"""A `validate` that starts after `revoke` returned is rejected, wherever it runs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from hypothesis import strategies as st

from ..clock import MILLISECOND
from ..frame.expecting import equal, identical
from ..frame.people import ENDS, MOMENTS, SECOND, everything, filters, people, populate
from ..frame.registry import check
from ..frame.stage import PEPPERS, Stage
from ..frame.together import at_once, raw
from ..frame.trying import for_all

PLACES = st.sampled_from(("here", "elsewhere"))


@check(5)
def a_revoked_session_is_gone_whatever_its_state_was(stage: Stage) -> None:
    states = st.sampled_from(
        ("live", "used", "ended", "ended", "unknown pepper", "unreadable hash")
    )

    @for_all(stage, ends=st.sampled_from(ENDS), state=states, here=PLACES, there=PLACES,
             moment=st.sampled_from(MOMENTS))  # fmt: skip
    def check(ends: dict[str, Any], state: str, here: str, there: str, moment: timedelta) -> None:
        sessions = stage.manager()
        issuer = stage.manager(pepper=PEPPERS[3]) if state == "unknown pepper" else sessions
        issued = issuer.issue("user", method="password", **ends)
        session_id = issued.session.id
        if state == "used":
            stage.clock.move(timedelta(seconds=5))
            assert sessions.validate(issued.token)
            assert stage.elsewhere.validate(issued.token)
        elif state == "ended":
            stage.clock.move(max(moment, 10 * SECOND))
        elif state == "unreadable hash":
            stage.put(stage.record(session_id)._replace(key_hash="no hash at all"))
        revoker = {"here": sessions, "elsewhere": stage.elsewhere}[here]
        reader = {"here": sessions, "elsewhere": stage.elsewhere}[there]
        identical(revoker.revoke(session_id), True)
        answer = reader.validate(issued.token)
        assert not answer
        equal(answer.reason, "unknown")
        assert reader.get(session_id) is None
        identical(reader.revoke(session_id), False, "it was there once only")
        equal(reader.find(user_id="user"), [])
        assert stage.record(session_id) is None


@check(5)
def revoking_a_user_removes_every_session_that_was_acknowledged(stage: Stage) -> None:
    @for_all(stage, drawn=people(1, 6), moment=st.sampled_from(MOMENTS), place=PLACES,
             chosen=filters("user_id", "method", "scope", "pepper_id"))  # fmt: skip
    def check(drawn: list[Any], moment: timedelta, place: str, chosen: dict[str, Any]) -> None:
        population = populate(stage, drawn)
        stage.clock.move(moment)
        chosen = population.named(chosen) or {"user_id": drawn[0][0]}
        revoker = {"here": stage.manager(), "elsewhere": stage.elsewhere}[place]
        refs = revoker.revoke_all(**chosen)
        expected = population.model.revoke_all(stage.clock(), chosen)
        equal({tuple(ref) for ref in refs}, expected)
        equal(len(refs), len(expected))
        sessions = stage.manager(fallback_peppers=(PEPPERS[1],))
        gone = {session_id for session_id, _, _ in expected}
        for session_id, token in population.tokens.items():
            answer = sessions.validate(token)
            identical(not answer and answer.reason == "unknown", session_id in gone)
        equal(set(everything(stage)), set(population.model.sessions))


@check(5)
def of_eight_callers_at_once_one_revokes(stage: Stage) -> None:
    @for_all(stage, wait=st.integers(0, 10**6), extra=st.integers(0, 2))
    def check(wait: int, extra: int) -> None:
        sessions = stage.manager()
        ids = [sessions.issue("user", method="password").session.id for _ in range(extra + 1)]
        stage.clock.move(wait * MILLISECOND)
        calls: list[Callable[[], Any]] = [partial(raw(sessions).revoke, ids[0]) for _ in range(8)]
        equal(sorted(at_once(stage, calls)), [False] * 7 + [True])
        equal(sessions.count(user_id="user"), extra)


@check(5, shares=False)
def a_revocation_counts_in_another_process_at_once(stage: Stage) -> None:
    there = stage.neighbour

    @for_all(stage, users=st.lists(st.sampled_from(("ann", "bob")), min_size=1, max_size=4),
             place=st.integers(0, 3), here=st.booleans(), every=st.booleans(),
             wait=st.integers(0, 200_000))  # fmt: skip
    def check(users: list[Any], place: int, here: bool, every: bool, wait: int) -> None:
        sessions = stage.manager()
        issued = [sessions.issue(user, method="password", scopes={user}) for user in users]
        stage.clock.move(wait * MILLISECOND)
        # Both have seen all of them, so that whatever is kept of what was read is kept now.
        for each, user in zip(issued, users, strict=True):
            equal(there.ask("validate", each.token), [user], "it is good there", law=5)
            equal(sessions.validate(each.token).scopes, {user})
        chosen = issued[place % len(issued)].session
        gone = {e.session.id for e in issued if e.session.user_id == chosen.user_id and every}
        gone.add(chosen.id)
        if every:
            number = len(sessions.revoke_all(user_id=chosen.user_id)) if here else there.ask(
                "revoke_all", chosen.user_id
            )  # fmt: skip
            equal(number, len(gone))
        else:
            revoked = sessions.revoke(chosen.id) if here else there.ask("revoke", str(chosen.id))
            identical(revoked, True)
        for each, user in zip(issued, users, strict=True):
            expected = "unknown" if each.session.id in gone else [user]
            equal(there.ask("validate", each.token), expected, "as the other process sees it")
            answer = sessions.validate(each.token)
            equal(sorted(answer.scopes) if answer else str(answer.reason), expected)
