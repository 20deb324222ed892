"""What a backend declares it can do works; what it does not declare is refused by name."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from hypothesis import strategies as st

from coatcheck import Capability, Unsupported

from ..frame.expecting import equal, holds, raises
from ..frame.people import MOMENTS, everything, people, populate
from ..frame.registry import check_of
from ..frame.stage import Stage
from ..frame.trying import for_all


def _without_user(sessions: Any) -> dict[str, Any]:
    """By name, the calls that look at everybody."""
    fields = {"scopes": {"new"}}
    return {
        "find": sessions.find,
        "find by method": partial(sessions.find, method="password"),
        "count": sessions.count,
        "count by pepper": partial(sessions.count, pepper_id="0123456789abcdef"),
        "update_all": partial(sessions.update_all, everyone=True, **fields),
        "update_all by method": partial(sessions.update_all, method="password", **fields),
        "purge": sessions.purge,
        "pepper_status": sessions.pepper_status,
        "revoke_all by scope": partial(sessions.revoke_all, scope="read"),
        "revoke_all": partial(sessions.revoke_all, everyone=True),
    }


@check_of("capabilities")
def without_scan_only_calls_with_a_user_are_taken(stage: Stage) -> None:
    @for_all(stage, drawn=people(1, 4), moment=st.sampled_from(MOMENTS))
    def check(drawn: list[Any], moment: timedelta) -> None:
        population = populate(stage, drawn)
        sessions, model = stage.manager(), population.model
        stage.clock.move(moment)
        stage.relay.calls.clear()
        for name, call in _without_user(sessions).items():
            if stage.scans:
                call()
                continue
            with raises(Unsupported) as refused:
                call()
            for word in (stage.info.name, "scan", name.partition(" ")[0]):
                holds(word in str(refused.value), f"{word} is named: {refused.value}")
        if stage.scans:
            return
        equal(stage.relay.calls, [], "the store was not asked for it")
        equal(everything(stage), model.sessions)
        user, fields = {"user_id": drawn[0][0]}, {"scopes": {"new"}}
        equal(
            sessions.update_all(**user, **fields), model.update_all(stage.clock(), user, **fields)
        )
        matching = model.matching(stage.clock(), **user)
        equal([session.id for session in sessions.find(**user)], [each.id for each in matching])
        equal(sessions.count(**user), len(matching))
        equal(len(sessions.revoke_all(**user)), len(model.revoke_all(stage.clock(), user)))
        equal(everything(stage), model.sessions)


@check_of("capabilities")
def without_transactions_none_is_taken(stage: Stage) -> None:
    if Capability.TRANSACTIONS in stage.info.capabilities:
        holds(stage.has("bound"), "transactions are declared, and there is a hook for them")
        stage.examples += 1
        return

    @for_all(stage, transaction=st.none() | st.text() | st.integers() | st.builds(object))
    def check(transaction: object) -> None:
        stage.relay.calls.clear()
        with raises(Unsupported) as refused:
            stage.manager().within(transaction)
        for word in (stage.info.name, "transactions", "within"):
            holds(word in str(refused.value), f"{word} is named: {refused.value}")
        equal(stage.relay.calls, [], "the store was not asked for it")


@check_of("capabilities")
def what_a_backend_says_of_itself_is_always_the_same(stage: Stage) -> None:
    @for_all(stage, drawn=people(0, 2))
    def check(drawn: list[Any]) -> None:
        said = _said(stage.info)
        populate(stage, drawn)
        equal(_said(stage.backend.info()), said)
        holds(said[2] <= frozenset(Capability), f"every capability is a known one: {said[2]}")
        holds(":" not in said[0], "its name is no URL")


def _said(info: Any) -> tuple[Any, ...]:
    name, version, capabilities, inline, asynchronous = info
    return name, version, frozenset(capabilities), frozenset(inline), asynchronous
