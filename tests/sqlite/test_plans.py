"""What design.md promises to serve by an index is, in the statements that really run."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from itertools import combinations
from typing import Any
from uuid import UUID

import pytest

from coatcheck import SessionManager
from sqlite_files import FACES, OLD_PEPPER, Place
from statements_seen import Recorded, Recorder, Run, plan_of, steps_of

PRIMARY_KEY = "sqlite_autoindex_coatcheck_session_1"
FILTERS: dict[str, Any] = {"method": "password", "scope": "read", "live": True,
                           "pepper_id": "0123456789abcdef"}  # fmt: skip
SUBSETS = [dict(chosen) for size in range(5) for chosen in combinations(FILTERS.items(), size)]
MANY = 3000


class Plans:
    """A manager over a store with many sessions, and the plans of what it runs."""

    def __init__(self, place: Place, monkeypatch: pytest.MonkeyPatch, *, analysed: bool) -> None:
        self.recorder = Recorder(monkeypatch)
        self.sessions: SessionManager = place.open(touch_interval=timedelta(0))
        self.issued = self.sessions.issue("ann", method="password", scopes={"read"})
        multiply(place, self.issued.session.id)
        if analysed:
            place.sql("ANALYZE")
        self.raw = sqlite3.connect(place.path)
        self.recorder.take()

    def ran(self, call: Callable[[], object]) -> list[Run]:
        """The statements of a call, without those that set a level or a time."""
        self.recorder.take()
        call()
        return [run for run in self.recorder.take() if run.verb != "PRAGMA"]

    def plan(self, call: Callable[[], object]) -> str:
        """The plan of the one statement of a call."""
        [run] = self.ran(call)
        return " / ".join(plan_of(self.raw, run))


def multiply(place: Place, session_id: UUID) -> None:
    """So many copies of a session, of other users, methods and peppers, some of them ended."""
    row = list(place.row(session_id) or ())
    pepper_id = row[10]
    rows = []
    for n in range(MANY):
        row[0] = (n + 1 << 100).to_bytes(16)
        row[1], row[2] = f"user {n // 10}", ("password", "passkey")[n % 2]
        row[7] = 1 if n % 100 == 0 else row[5] + 10**10
        row[10] = pepper_id if n % 30 == 0 else f"{n % 29:016x}"
        rows.append(tuple(row))
    with closing(sqlite3.connect(place.path)) as connection, connection:
        connection.executemany(f"INSERT INTO coatcheck_session VALUES ({','.join('?' * 11)})", rows)


@pytest.fixture(params=["as it is", "analysed"])
def plans(
    place: Place, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Plans]:
    plans = Plans(place, monkeypatch, analysed=request.param == "analysed")
    yield plans
    plans.raw.close()


def is_by_index(plan: str, index: str, *columns: str) -> bool:
    searched = "SCAN" not in plan and f"INDEX {index} ({columns[0]}" in plan
    return searched and "TEMP B-TREE" not in plan


def test_every_step_on_one_session_is_by_its_id(plans: Plans, place: Place) -> None:
    session_id = plans.issued.session.id
    steps = plans.ran(lambda: plans.sessions.validate(plans.issued.token))
    steps += plans.ran(lambda: plans.sessions.get(session_id))
    steps += plans.ran(lambda: plans.sessions.update(session_id, scopes={"new"}, metadata={}))
    outdated = place.open(salt_length=8)
    steps += plans.ran(lambda: outdated.validate(plans.issued.token))
    steps += plans.ran(lambda: plans.sessions.revoke(session_id))
    verbs = [step.verb for step in steps]
    assert verbs == ["SELECT", "UPDATE", "SELECT", "UPDATE", "SELECT", "UPDATE", "DELETE"]
    for step in steps:
        plan = " / ".join(plan_of(plans.raw, step))
        assert is_by_index(plan, PRIMARY_KEY, "id=?"), f"{step.sql}: {plan}"


def test_anything_with_a_user_is_by_the_users_index(plans: Plans) -> None:
    sessions = plans.sessions
    for chosen in SUBSETS:
        bulk = {name: value for name, value in chosen.items() if name not in ("live", "scope")}
        calls: list[Callable[[], object]] = [
            lambda c=chosen: sessions.find(user_id="user 7", **c),
            lambda c=chosen: sessions.find(user_id="user 7", after=plans.issued.session.id, **c),
            lambda c=chosen: sessions.count(user_id="user 7", **c),
            lambda b=bulk: sessions.update_all(user_id="user 8", scopes={"x"}, **b),
            lambda b=bulk: sessions.revoke_all(user_id="user 9", **b),
            lambda b=bulk: sessions.revoke_all(user_id="user 9", keep={UUID(int=7)}, **b),
        ]
        for call in calls:
            [run] = plans.ran(call)
            main, *rest = plan_of(plans.raw, run)
            assert is_by_index(main, "coatcheck_session_user", "user_id=?"), f"{chosen}: {main}"
            assert not [line for line in rest if "coatcheck_session" in line or "TEMP" in line]


def test_a_pepper_is_counted_and_walked_by_its_index(plans: Plans) -> None:
    sessions, pepper_id = plans.sessions, plans.issued.session.pepper_id
    for chosen in [{}, {"live": True}, {"live": False}, {"method": "password", "scope": "read"}]:
        for call in (
            lambda c=chosen: sessions.count(pepper_id=pepper_id, **c),
            lambda c=chosen: sessions.find(pepper_id=pepper_id, limit=5, **c),
            lambda c=chosen: sessions.find(pepper_id=pepper_id, after=UUID(int=1 << 110), **c),
        ):
            plan = plans.plan(call)
            assert is_by_index(plan.replace("COVERING ", ""), "coatcheck_session_pepper",
                               "pepper_id=?"), plan  # fmt: skip


@pytest.mark.parametrize(
    ("which", "indexes"),
    [
        ({"inactive": False}, {"coatcheck_session_expiry"}),
        ({"expired": False}, {"coatcheck_session_inactivity"}),
        ({}, {"coatcheck_session_expiry", "coatcheck_session_inactivity"}),
    ],
    ids=["expired", "inactive", "both"],
)
def test_a_purge_finds_what_has_ended_by_the_indexes_of_the_two_ends(
    plans: Plans, which: dict[str, bool], indexes: set[str]
) -> None:
    runs = plans.ran(lambda: plans.sessions.purge(batch_size=7, **which))
    assert len(runs) == (5 + 1 if "expired" not in which else 1)
    for run in runs:
        plan = plan_of(plans.raw, run)
        assert not [line for line in plan if line.startswith("SCAN coatcheck_session")], plan
        assert {index for index in indexes if any(index in line for line in plan)} == indexes, plan


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"method": "password"},
        {"scope": "read"},
        {"live": True},
        {"live": False},
        {"method": "passkey", "live": True},
        {"method": "password", "scope": "read", "live": True},
    ],
)
def test_other_filters_walk_the_primary_key_in_order_and_stop_at_the_limit(
    plans: Plans, chosen: dict[str, Any]
) -> None:
    for after in (None, UUID(int=1 << 101)):
        plan = plans.plan(lambda a=after: plans.sessions.find(limit=5, after=a, **chosen))
        assert PRIMARY_KEY in plan
        assert "TEMP B-TREE" not in plan
        assert ("SEARCH" if after else "SCAN") in plan
        if chosen.get("live", True):
            [run] = plans.ran(lambda a=after: plans.sessions.find(limit=5, after=a, **chosen))
            [whole] = plans.ran(lambda a=after: plans.sessions.find(limit=1000, after=a, **chosen))
            assert steps_of(plans.raw, run) * 20 < steps_of(plans.raw, whole)


@pytest.mark.parametrize("face", FACES)
def test_every_hook_is_one_statement_on_one_connection(
    place: Place, face: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = place.open(pepper=OLD_PEPPER).issue("ann", method="password")
    recorder = Recorder(monkeypatch)
    sessions = place.over(Recorded(place.backend(), recorder), face,
                          fallback_peppers=[OLD_PEPPER], touch_interval=timedelta(0))  # fmt: skip
    sessions.issue("bob", method="password")
    session_id = old.session.id
    recorder.take()
    expected: dict[str, tuple[Callable[[], object], list[str]]] = {
        "issue": (lambda: sessions.issue("ann", method="password"), ["insert"]),
        "validate, all due": (
            lambda: sessions.validate(old.token),
            ["load", "touch", "replace_key_hash"],
        ),
        "validate": (lambda: sessions.validate(old.token, touch=False), ["load"]),
        "malformed": (lambda: sessions.validate("no token"), []),
        "get": (lambda: sessions.get(session_id), ["load"]),
        "find": (lambda: sessions.find(user_id="ann"), ["find"]),
        "find none": (lambda: sessions.find(limit=0), []),
        "count": (lambda: sessions.count(live=True), ["count"]),
        "update": (lambda: sessions.update(session_id, scopes={"a"}), ["update"]),
        "update_all": (lambda: sessions.update_all(user_id="ann", scopes={"b"}), ["update_where"]),
        "pepper_status": (sessions.pepper_status, ["pepper_counts"]),
        "ping": (sessions.ping, ["ping"]),
        "purge": (sessions.purge, ["purge"]),
        "revoke": (lambda: sessions.revoke(session_id), ["delete"]),
        "unknown": (lambda: sessions.validate(old.token), ["load"]),
        "revoke_all": (lambda: sessions.revoke_all(user_id="ann"), ["delete_where"]),
    }
    for name, (call, hooks) in expected.items():
        call()
        by_hook = recorder.take_by_hook()
        assert [hook for hook, _ in by_hook] == hooks, name
        for hook, runs in by_hook:
            assert len([run for run in runs if run.verb != "PRAGMA"]) == 1, (name, hook)
            assert len({run.connection for run in runs}) == 1, (name, hook)


@pytest.mark.parametrize("face", FACES)
def test_a_validation_is_one_read_and_nothing_else(
    place: Place, face: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(monkeypatch)
    sessions = place.open(face)
    token = sessions.issue("ann", method="password").token
    assert sessions.validate(token)
    recorder.take()
    for _ in range(10):
        assert sessions.validate(token)
        [run] = recorder.take()
        assert run.verb == "SELECT"
