"""What design.md promises to serve by an index is, in the commands that really run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import combinations
from typing import Any
from uuid import UUID

import pytest
from bson.int64 import Int64
from pymongo import monitoring

from coatcheck import SessionManager
from mongodb_places import CODEC, Place

FILTERS: dict[str, Any] = {"method": "password", "scope": "read", "live": True,
                           "pepper_id": "0123456789abcdef"}  # fmt: skip
SUBSETS = [dict(chosen) for size in range(5) for chosen in combinations(FILTERS.items(), size)]
EXPLAINED = ("find", "aggregate", "count", "update", "delete", "findAndModify", "distinct")
NOT_EXPLAINED = ("lsid", "$clusterTime", "$db", "txnNumber", "writeConcern", "maxTimeMS",
                 "$readPreference", "readConcern")  # fmt: skip
MANY = 3000


class Listener(monitoring.CommandListener):
    """The commands that a client sends."""

    def __init__(self) -> None:
        self.commands: list[dict[str, Any]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in (*EXPLAINED, "insert", "getMore"):
            kept = {k: v for k, v in event.command.items() if k not in NOT_EXPLAINED}
            self.commands.append(kept)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...

    def failed(self, event: monitoring.CommandFailedEvent) -> None: ...


class Plans:
    """A manager over a store with many sessions, and the plans of what it runs."""

    def __init__(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        from coatcheck_backends.mongodb import location

        self.place, self.listener = place, Listener()
        options = {**location.ALWAYS, "event_listeners": [self.listener]}
        monkeypatch.setattr(location, "ALWAYS", options)
        self.sessions: SessionManager = place.open(touch_interval=timedelta(0))
        self.issued = self.sessions.issue("ann", method="password", scopes={"read"})
        multiply(place, self.issued.session.id)

    def ran(self, call: Callable[[], object]) -> list[dict[str, Any]]:
        """The commands of a call."""
        self.listener.commands.clear()
        call()
        return list(self.listener.commands)

    def explain(self, command: dict[str, Any]) -> dict[str, Any]:
        """What the server did, or would do, with one of them."""
        return self.place.database.command(
            "explain", command, verbosity="executionStats", codec_options=CODEC
        )

    def stages(self, command: dict[str, Any]) -> list[dict[str, Any]]:
        """Every stage of the plan that won."""
        return list(_stages(_winning(self.explain(command))))

    def indexes(self, command: dict[str, Any]) -> set[str]:
        """The indexes that it walks; `COLLSCAN` and `SORT` if it does that."""
        stages = self.stages(command)
        walked = {stage["indexName"] for stage in stages if "indexName" in stage}
        walked |= {stage["stage"] for stage in stages if stage["stage"] in ("COLLSCAN", "SORT")}
        return walked | {"_id_" for stage in stages if stage["stage"] == "IDHACK"}


def _winning(answer: dict[str, Any]) -> dict[str, Any]:
    if "stages" in answer:
        answer = answer["stages"][0]["$cursor"]
    plan: dict[str, Any] = answer["queryPlanner"]["winningPlan"]
    return plan.get("queryPlan", plan)


def _stages(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in [*plan.get("inputStages", ()), *filter(None, [plan.get("inputStage")])]:
        yield from _stages(inner)


def multiply(place: Place, session_id: UUID) -> None:
    """So many copies of a session, of other users, methods and peppers, some of them ended."""
    document = place.raw.find_one({"_id": session_id})
    pepper_id = document["pepper_id"]
    place.raw.insert_many(
        {
            **document,
            "_id": UUID(int=n + 1 << 100),
            "user_id": f"user {n // 10}",
            "method": ("password", "passkey")[n % 2],
            "expires_at": Int64(1) if n % 100 == 0 else document["expires_at"],
            "pepper_id": pepper_id if n % 30 == 0 else f"{n % 29:016x}",
        }
        for n in range(MANY)
    )


@pytest.fixture
def plans(place: Place, monkeypatch: pytest.MonkeyPatch) -> Plans:
    return Plans(place, monkeypatch)


def test_every_step_on_one_session_is_one_command_by_its_id(plans: Plans) -> None:
    session_id, token = plans.issued.session.id, plans.issued.token
    outdated = plans.place.open(salt_length=8)
    sessions = plans.sessions
    expected: list[tuple[Callable[[], object], list[str]]] = [
        (lambda: sessions.validate(token), ["find", "update"]),
        (lambda: sessions.validate(token, touch=False), ["find"]),
        (lambda: sessions.get(session_id), ["find"]),
        (lambda: sessions.update(session_id, scopes={"new"}, metadata={}), ["findAndModify"]),
        (lambda: outdated.validate(token), ["find", "update"]),
        (lambda: sessions.revoke(session_id), ["findAndModify"]),
        (lambda: sessions.issue("ann", method="password"), ["insert"]),
        (sessions.ping, ["find"]),
    ]
    for call, verbs in expected:
        commands = plans.ran(call)
        assert [next(iter(command)) for command in commands] == verbs
        for command in commands:
            if verbs != ["insert"]:
                assert plans.indexes(command) == {"_id_"}, command


def test_a_step_with_a_condition_on_the_user_is_by_the_id_as_well(plans: Plans) -> None:
    from coatcheck import Where

    backend = plans.place.backend()
    where = Where(user_id="ann", pepper_id=plans.issued.session.pepper_id)
    for call in (
        lambda: backend.update(plans.issued.session.id, {"metadata": "{}"}, where),
        lambda: backend.delete(plans.issued.session.id, where),
    ):
        [command] = plans.ran(call)
        statistics = plans.explain({**command})["executionStats"]
        assert statistics["totalDocsExamined"] <= 1


def test_anything_with_a_user_is_by_the_users_index(plans: Plans) -> None:
    sessions = plans.sessions
    for chosen in SUBSETS:
        bulk = {name: value for name, value in chosen.items() if name not in ("live", "scope")}
        calls: list[Callable[[], object]] = [
            lambda c=chosen: sessions.find(user_id="user 7", **c),
            lambda c=chosen: sessions.find(user_id="user 7", after=plans.issued.session.id, **c),
            lambda c=chosen: sessions.count(user_id="user 7", **c),
            lambda b=bulk: sessions.update_all(user_id="user 8", scopes={"x"}, **b),
        ]
        for call in calls:
            [command] = plans.ran(call)
            assert plans.indexes(command) == {"coatcheck_user"}, command
    for keep in (set(), {UUID(int=7)}):
        found, deleted = plans.ran(lambda k=keep: sessions.revoke_all(user_id="user 9", keep=k))
        assert plans.indexes(found) == {"coatcheck_user"}
        assert plans.indexes(deleted) == {"_id_"}
        sessions.issue("user 9", method="password")


def test_a_pepper_is_counted_and_walked_by_its_index(plans: Plans) -> None:
    sessions, pepper_id = plans.sessions, plans.issued.session.pepper_id
    for chosen in [{}, {"live": True}, {"live": False}, {"method": "password", "scope": "read"}]:
        for call in (
            lambda c=chosen: sessions.count(pepper_id=pepper_id, **c),
            lambda c=chosen: sessions.find(pepper_id=pepper_id, limit=5, **c),
            lambda c=chosen: sessions.find(pepper_id=pepper_id, after=UUID(int=1 << 110), **c),
        ):
            [command] = plans.ran(call)
            assert plans.indexes(command) == {"coatcheck_pepper"}, command
    [command] = plans.ran(sessions.pepper_status)
    assert plans.indexes(command) == {"coatcheck_pepper"}
    assert "FETCH" not in {stage["stage"] for stage in plans.stages(command)}, (
        "it reads no document"
    )


@pytest.mark.parametrize(
    ("which", "indexes"),
    [
        ({"inactive": False}, {"coatcheck_expiry"}),
        ({"expired": False}, {"coatcheck_inactivity"}),
        ({}, {"coatcheck_expiry", "coatcheck_inactivity"}),
    ],
    ids=["expired", "inactive", "both"],
)
def test_a_purge_finds_what_has_ended_by_the_indexes_of_the_two_ends(
    plans: Plans, which: dict[str, bool], indexes: set[str]
) -> None:
    commands = plans.ran(lambda: plans.sessions.purge(batch_size=7, **which))
    assert len(commands) == (2 * 5 + 1 if "expired" not in which else 1)
    for command in commands:
        by_id = "delete" in command
        assert plans.indexes(command) == ({"_id_"} if by_id else indexes), command


def test_what_has_ended_is_counted_by_the_same_indexes(plans: Plans) -> None:
    [command] = plans.ran(lambda: plans.sessions.count(live=False))
    assert plans.indexes(command) == {"coatcheck_expiry", "coatcheck_inactivity"}


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
def test_other_filters_walk_the_ids_in_order_and_stop_at_the_limit(
    plans: Plans, chosen: dict[str, Any]
) -> None:
    for after in (None, UUID(int=1 << 101)):
        [command] = plans.ran(lambda a=after: plans.sessions.find(limit=5, after=a, **chosen))
        assert plans.indexes(command) == {"_id_"}
        examined = plans.explain(command)["executionStats"]["totalDocsExamined"]
        assert examined <= (12 if chosen.get("live", True) else MANY)


def test_a_large_page_is_one_command(plans: Plans) -> None:
    assert len(plans.ran(lambda: plans.sessions.find(limit=1000))) == 1


def test_no_command_of_a_manager_reads_other_than_on_the_primary_by_a_majority(
    plans: Plans,
) -> None:
    options = plans.sessions._core.backend.implementation._own.client.options
    assert options.read_concern.level == "majority"
    assert options.write_concern.document == {"w": "majority", "j": True}
    assert options.read_preference.name == "Primary"
