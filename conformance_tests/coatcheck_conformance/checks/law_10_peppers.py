"""Any configured pepper verifies, the first one writes, and nobody is signed out by an option."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from hypothesis import strategies as st

from coatcheck import Capability, Where

from ..clock import MILLISECOND
from ..frame.expecting import equal, identical
from ..frame.people import people, populate
from ..frame.registry import check
from ..frame.stage import PEPPERS, Stage
from ..frame.trying import for_all

CHEAP = {"argon2_memory_kib": 8, "argon2_time_cost": 1}
FORMS: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"secret_length": 16, "salt_length": 8},
    {"secret_length": 255, "salt_length": 64},
    {"salt_length": 17},
    {"hash_scheme": "argon2id", **CHEAP},
    {"hash_scheme": "argon2id", "argon2_memory_kib": 16, "argon2_time_cost": 2, "salt_length": 12},
)


def _configurations() -> list[dict[str, Any]]:
    """Peppers in many orders, none, one or several of them fallbacks, each with some form."""
    dice = random.Random(10)
    orders = [dice.sample(PEPPERS[:4], dice.randint(1, 4)) for _ in range(24)]
    return [
        {"pepper": first, "fallback_peppers": tuple(rest), **FORMS[n % len(FORMS)]}
        for n, (first, *rest) in enumerate(orders)
    ]


CONFIGURATIONS = _configurations()
CONFIGURED = st.sampled_from(CONFIGURATIONS)


def _peppers(configuration: dict[str, Any]) -> list[str]:
    return [configuration["pepper"], *configuration["fallback_peppers"]]


@check(10)
def a_token_is_good_exactly_where_its_pepper_is_configured(stage: Stage) -> None:
    @for_all(stage, writer=CONFIGURED, readers=st.lists(CONFIGURED, min_size=1, max_size=3))
    def check(writer: dict[str, Any], readers: list[Any]) -> None:
        issued = stage.manager(**writer).issue("user", method="password", scopes={"read"})
        session_id, holder = issued.session.id, writer["pepper"]
        equal(stage.record(session_id).pepper_id, issued.session.pepper_id)
        for reader in readers:
            sessions = stage.manager(**reader)
            before = stage.record(session_id)
            stage.relay.calls.clear()
            answer = sessions.validate(issued.token)
            if holder not in _peppers(reader):
                assert not answer
                equal((answer.reason, answer.session_id), ("unknown_pepper", session_id))
                equal(stage.relay.writes, [])
                equal(stage.record(session_id), before)
                continue
            assert answer, "its pepper is among them"
            # From now on the first pepper alone is enough.
            holder = reader["pepper"]
            stored = stage.record(session_id)
            first = stage.pepper_id_of(holder)
            equal(answer.pepper_id, first)
            equal(stored.pepper_id, first)
            assert f"keyid={first}$" in stored.key_hash
            if stage.scans:
                equal(sessions.pepper_status()[0], (first, 0, 1))
            equal(
                stored._replace(key_hash="", pepper_id=""),
                before._replace(key_hash="", pepper_id=""),
            )
            stage.relay.calls.clear()
            assert stage.manager(**{**reader, "fallback_peppers": ()}).validate(issued.token)
            equal(stage.relay.writes, [], "there is nothing left to rewrite")


@check(10)
def a_new_hash_is_in_the_form_that_is_configured(stage: Stage) -> None:
    @for_all(stage, first=CONFIGURED, second=CONFIGURED)
    def check(first: dict[str, Any], second: dict[str, Any]) -> None:
        second = {**second, "fallback_peppers": tuple(
            pepper for pepper in PEPPERS[:4] if pepper != second["pepper"])}  # fmt: skip
        issued = stage.manager(**first).issue("user", method="password")
        for configuration in (first, second):
            assert stage.manager(**configuration).validate(issued.token)
            phc = stage.record(issued.session.id).key_hash
            scheme = configuration.get("hash_scheme", "hmac-sha256")
            assert phc.startswith(f"${scheme}$")
            salt = phc.split("$")[-2]
            equal(len(salt), -(-configuration.get("salt_length", 16) * 4 // 3))
            if scheme == "argon2id":
                memory, passes = (
                    configuration["argon2_memory_kib"],
                    configuration["argon2_time_cost"],
                )
                assert f"$m={memory},t={passes},p=1,keyid=" in phc


@check(10)
def the_rewrite_undoes_nothing_that_happened_meanwhile(stage: Stage) -> None:
    @for_all(stage, wait=st.integers(0, 10**6), how=st.sampled_from(("rewritten", "changed")))
    def check(wait: int, how: str) -> None:
        issued = stage.manager(pepper=PEPPERS[1]).issue("user", method="password", scopes={"old"})
        sessions = stage.manager(fallback_peppers=(PEPPERS[1],))
        stage.clock.move(wait * MILLISECOND)
        before = stage.record(issued.session.id)
        if how == "rewritten":
            args = (before.id, before.key_hash, "$another$hash", "fedcba9876543210")
            stage.meanwhile("replace_key_hash", lambda: stage.ask("replace_key_hash", *args))
        else:
            changes = {"scopes": frozenset({"new"})}
            stage.meanwhile(
                "replace_key_hash", lambda: stage.ask("update", before.id, changes, Where())
            )
        assert sessions.validate(issued.token)
        stored = stage.record(before.id)
        if how == "rewritten":
            equal((stored.key_hash, stored.pepper_id), ("$another$hash", "fedcba9876543210"))
        else:
            equal(stored.scopes, {"new"})
            assert stored.pepper_id != before.pepper_id


@check(10)
def nothing_is_rewritten_without_touch(stage: Stage) -> None:
    @for_all(stage, writer=CONFIGURED, reader=CONFIGURED)
    def check(writer: dict[str, Any], reader: dict[str, Any]) -> None:
        issued = stage.manager(**writer).issue("user", method="password")
        before = stage.record(issued.session.id)
        stage.relay.calls.clear()
        answer = stage.manager(**reader).validate(issued.token, touch=False)
        identical(bool(answer), writer["pepper"] in _peppers(reader))
        equal(stage.relay.writes, [])
        equal(stage.record(issued.session.id), before)


@check(10)
def the_status_counts_the_sessions_under_each_pepper(stage: Stage) -> None:
    stage.need(Capability.SCAN)

    @for_all(stage, drawn=people(1, 6), used=st.booleans())
    def check(drawn: list[Any], used: bool) -> None:
        population = populate(stage, drawn)
        sessions = stage.manager(fallback_peppers=(PEPPERS[1],))
        if used:
            for token in population.tokens.values():
                sessions.validate(token)
        stored = Counter(stage.record(session_id).pepper_id for session_id in population.tokens)
        status = sessions.pepper_status()
        equal({each.pepper_id: each.sessions for each in status if each.sessions}, dict(stored))
        equal([each.place for each in status], [0, 1], "by place, and no pepper is unknown")
