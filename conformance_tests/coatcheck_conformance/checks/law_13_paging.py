"""Walking `find` gives what matches throughout exactly once, in the order of ids."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from coatcheck import InvalidInput

from ..clock import MILLISECOND
from ..frame.expecting import equal, raises
from ..frame.people import MOMENTS, filters, people, populate
from ..frame.registry import check
from ..frame.stage import Stage
from ..frame.trying import for_all

SIZES = st.integers(1, 4)


@check(13)
def a_walk_sees_what_stays_once_while_others_come_and_go(stage: Stage) -> None:
    events = st.lists(st.sampled_from(("nothing", "issue", "revoke", "revoke last", "purge")),
                      max_size=6)  # fmt: skip

    any_filters = st.just(dict[str, Any]()) | filters(
        "user_id", "method", "scope", "live", "pepper_id"
    )

    @for_all(stage, drawn=people(0, 12), size=SIZES, events=events, chosen=any_filters,
             moment=st.sampled_from(MOMENTS))  # fmt: skip
    def check(
        drawn: list[Any], size: int, events: list[Any], moment: timedelta, chosen: dict[str, Any]
    ) -> None:
        population = populate(stage, drawn)
        chosen = population.named(chosen)
        sessions = stage.manager()
        stage.clock.move(moment)
        stays = {facts.id for facts in population.model.matching(stage.clock(), **chosen)}
        ever = set(stays)
        seen: list[UUID] = []
        after, happening = None, list(events)
        while page := sessions.find(limit=size, after=after, **chosen):
            assert len(page) <= size
            seen += [session.id for session in page]
            after = seen[-1]
            event = happening.pop() if happening else "nothing"
            if event == "issue":
                nobody: Any = ("ann", "x", (), {})
                user, method, scopes, ends, *_ = drawn[0] if drawn else nobody
                new = sessions.issue(user, method=method, scopes=scopes, **ends)
                ever.add(new.session.id)
            elif event.startswith("revoke"):
                # The one the cursor points to, or the one that would have come next.
                gone = after if event == "revoke last" else min(stays - set(seen), default=after)
                sessions.revoke(gone)
                stays.discard(gone)
            elif event == "purge" and stage.scans:
                sessions.purge()
                stays &= {session.id for session in sessions.find(live=True)}
            if len(page) < size:
                break
        equal(seen, sorted(set(seen)), "in the order of ids, each once")
        assert stays <= set(seen) <= ever


@check(13)
def a_page_is_as_large_as_asked_and_a_short_one_is_the_last(stage: Stage) -> None:
    issues = st.lists(st.tuples(st.integers(0, 1), st.sampled_from(("user", "user", "other"))),
                      max_size=12)  # fmt: skip

    @for_all(stage, issues=issues, size=st.integers(0, 13), skip=st.integers(0, 12))
    def check(issues: list[Any], size: int, skip: int) -> None:
        sessions = stage.manager()
        ids: list[UUID] = []
        for wait, user in issues:
            stage.clock.move(wait * MILLISECOND)
            session_id = sessions.issue(user, method="password").session.id
            ids += [session_id] * (user == "user")
        ids.sort()
        after = ids[skip - 1] if 0 < skip <= len(ids) else None
        rest = ids[skip:] if after else ids
        page = sessions.find(user_id="user", limit=size, after=after)
        equal([session.id for session in page], rest[:size])


@check(13)
def a_limit_or_cursor_that_makes_no_sense_is_refused(stage: Stage) -> None:
    odd: tuple[object, ...] = (None, "10", 1.0, True, b"1", [])
    limits: st.SearchStrategy[object] = st.one_of(
        st.integers(max_value=-1), st.integers(min_value=1001), st.sampled_from(odd)
    )
    cursors = (
        st.text()
        | st.integers()
        | st.sampled_from(("00000000-0000-7000-8000-000000000000", b"0" * 16, 0.5, ()))
    )

    @for_all(stage, limit=limits, cursor=cursors)
    def check(limit: object, cursor: object) -> None:
        with raises(InvalidInput, match=r"^limit "):
            stage.manager().find(user_id="user", limit=limit)
        with raises(InvalidInput, match=r"^after "):
            stage.manager().find(user_id="user", after=cursor)
        assert "find" not in stage.relay.calls
