"""A call with filters reads or changes exactly the sessions that match all of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from coatcheck import InvalidInput, Session, Unsupported

from ..frame.expecting import equal, raises
from ..frame.people import (
    MOMENTS,
    SCOPES,
    SECOND,
    Population,
    everything,
    filters,
    people,
    populate,
)
from ..frame.registry import check
from ..frame.stage import Stage
from ..frame.trying import for_all
from ..model import differences, facts_of

ALL = ("user_id", "method", "scope", "live", "pepper_id")
MOMENT = st.sampled_from(MOMENTS)


def _compare(stage: Stage, population: Population) -> None:
    """The store holds what the model holds, and nothing else."""
    stored, expected = everything(stage), population.model.sessions
    equal(set(stored), set(expected), "the sessions that there are")
    for session_id, facts in expected.items():
        equal(differences(stored[session_id], facts), {}, f"the fields of {session_id}")


@check(7)
def reads_see_exactly_what_matches_every_filter(stage: Stage) -> None:
    several = st.lists(filters(*ALL), min_size=3, max_size=4)

    @for_all(stage, drawn=people(), moment=MOMENT, several=several)
    def check(drawn: list[Any], moment: timedelta, several: list[Any]) -> None:
        population = populate(stage, drawn)
        stage.clock.move(moment)
        for chosen in map(population.named, several):
            expected = population.model.matching(stage.clock(), **chosen)
            found = stage.manager().find(**chosen)
            equal([session.id for session in found], [facts.id for facts in expected])
            equal(stage.manager().count(**chosen), len(expected))
            for session, facts in zip(found, expected, strict=True):
                equal(differences(facts_of(session), facts), {})
                assert stage.record(facts.id).key_hash not in repr(vars_of(session))
        _compare(stage, population)


def vars_of(session: Session) -> list[object]:
    """Everything that hangs on a session, public or not."""
    return [getattr(session, name) for name in type(session).__slots__]


@check(7)
def update_all_changes_exactly_the_live_ones_that_match(stage: Stage) -> None:
    changes = st.fixed_dictionaries(
        {"scopes": st.frozensets(st.sampled_from(SCOPES), max_size=2)},
        optional={
            "metadata": st.just({"new": True}),
            "inactivity_timeout": st.sampled_from((None, 2 * SECOND, 60 * SECOND)),
        },
    )

    @for_all(stage, drawn=people(), moment=MOMENT, chosen=filters("user_id", "method", "pepper_id"),
             changes=changes)  # fmt: skip
    def check(
        drawn: list[Any], moment: timedelta, chosen: dict[str, Any], changes: dict[str, Any]
    ) -> None:
        population = populate(stage, drawn)
        stage.clock.move(moment)
        chosen = population.named(chosen)
        number = stage.manager().update_all(**(chosen or {"everyone": True}), **changes)
        equal(number, population.model.update_all(stage.clock(), chosen, **changes))
        _compare(stage, population)


@check(7)
def revoke_all_removes_exactly_what_matches_and_is_not_kept(stage: Stage) -> None:
    @for_all(stage, drawn=people(), moment=MOMENT, kept=st.sets(st.integers(0, 7), max_size=3),
             chosen=filters("user_id", "method", "scope", "pepper_id"))  # fmt: skip
    def check(drawn: list[Any], moment: timedelta, kept: set[Any], chosen: dict[str, Any]) -> None:
        population = populate(stage, drawn)
        stage.clock.move(moment)
        chosen = population.named(chosen)
        keep = [session_id for n, session_id in enumerate(population.tokens) if n in kept]
        refs = stage.manager().revoke_all(**(chosen or {"everyone": True}), keep=keep)
        expected = population.model.revoke_all(stage.clock(), chosen, keep)
        equal(sorted(tuple(ref) for ref in refs), sorted(expected))
        _compare(stage, population)


@check(7)
def no_filter_or_one_of_none_never_means_everybody(stage: Stage) -> None:
    calls = st.sampled_from(("find", "count", "update_all", "revoke_all"))
    nothing = st.sampled_from(("user_id", "method", "scope", "live", "pepper_id"))

    @for_all(stage, drawn=people(1, 3), call=calls, none=nothing,
             others=filters("user_id", "method", "pepper_id"), everyone=st.booleans())  # fmt: skip
    def check(
        drawn: list[Any], call: str, none: str, others: dict[str, Any], everyone: bool
    ) -> None:
        population = populate(stage, drawn)
        stage.relay.calls.clear()
        lacks = {"update_all": ("scope", "live"), "revoke_all": ("live",)}.get(call, ())
        none = "user_id" if none in lacks else none
        fields: dict[str, Any] = {"scopes": {"new"}} if call == "update_all" else {}
        bulk = call in ("update_all", "revoke_all")
        refused: list[dict[str, Any]] = [{**population.named(others), none: None}]
        if bulk:
            refused += [{}, {**population.named(others), none: None, "everyone": True}]
            if everyone and population.named(others):
                refused.append({**population.named(others), "everyone": True})
        for arguments in refused:
            # Without any filter it can only be for a backend that scans.
            with raises(InvalidInput if arguments or stage.scans else Unsupported):
                getattr(stage.manager(), call)(**arguments, **fields)
        equal(stage.relay.calls, [], "the store was not even asked")
        _compare(stage, population)


@check(7)
def what_stops_matching_just_before_its_step_is_left_alone(stage: Stage) -> None:
    calls = st.sampled_from(("revoke_all", "update_all"))

    @for_all(stage, call=calls, others=st.integers(0, 3), place=st.integers(0, 3))
    def check(call: str, others: int, place: int) -> None:
        sessions = stage.manager()
        drawn = {"method": "password", "scopes": {"cut"}}
        ids = [sessions.issue("user", **drawn).session.id for _ in range(others + 1)]
        before = stage.record(ids[place % len(ids)])
        matching: dict[str, Any] = {"scope": "cut"}
        other = before._replace(scopes=frozenset())
        if call == "update_all":
            matching = {"pepper_id": before.pepper_id, "scopes": {"new"}}
            other = before._replace(pepper_id="fedcba9876543210")
        stage.meanwhile(stage.hook_of(call), lambda: stage.put(other))
        answer = getattr(sessions, call)(user_id="user", **matching)
        equal(len(answer) if call == "revoke_all" else answer, others, "those that match still")
        equal(stage.record(before.id), other)
