"""What design.md promises to serve by an index is, in the statements that really run, on a
table that is large enough to make a difference, and with the plans that prepared statements get.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import combinations
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
import pytest

from coatcheck_backends.postgresql.faces import parameters_of
from coatcheck_backends.postgresql.store import Store
from coatcheck_backends.sql.operations import Operation, Result
from postgresql_places import OLD_PEPPER, Place, new_place

MANY = 20_000
USER, PEPPER, KEY = (f"coatcheck_session_{end}" for end in ("user", "pepper", "pkey"))
EXPIRY, INACTIVITY = (f"coatcheck_session_{end}" for end in ("expiry", "inactivity"))
FILTERS: dict[str, Any] = {"method": "password", "scope": "read", "live": True,
                           "pepper_id": "0123456789abcdef"}  # fmt: skip
SUBSETS = [dict(chosen) for size in range(5) for chosen in combinations(FILTERS.items(), size)]

MULTIPLY = """
INSERT INTO coatcheck_session
SELECT overlay(id::text placing lpad(to_hex(n), 8, '0') from 1 for 8)::uuid, 'user ' || n / 10,
    CASE n % 2 WHEN 0 THEN 'password' ELSE 'passkey' END, scopes, metadata, created_at,
    last_used_at, CASE n % 100 WHEN 0 THEN 1 ELSE expires_at + n END,
    CASE n % 100 WHEN 1 THEN 1 WHEN 2 THEN NULL ELSE inactivity_timeout END, key_hash,
    CASE WHEN %(peppers)s = 1 THEN pepper_id ELSE lpad(to_hex(n %% %(peppers)s), 16, '0') END
FROM coatcheck_session, generate_series(1, %(many)s) n
"""


class Step(NamedTuple):
    """One node of a plan that reads the sessions."""

    kind: str
    index: str
    condition: str


class Plan:
    """What PostgreSQL would do, from the outside in."""

    def __init__(self, root: dict[str, Any]) -> None:
        self.nodes: list[dict[str, Any]] = []
        self._walk(root)

    def _walk(self, node: dict[str, Any]) -> None:
        self.nodes.append(node)
        for inner in node.get("Plans", ()):
            self._walk(inner)

    @property
    def kinds(self) -> list[str]:
        return [node["Node Type"] for node in self.nodes]

    @property
    def steps(self) -> list[Step]:
        return [
            Step(node["Node Type"], node.get("Index Name", ""), node.get("Index Cond", ""))
            for node in self.nodes
            if "Scan" in node["Node Type"] and node["Node Type"] != "Bitmap Heap Scan"
        ]

    @property
    def indexes(self) -> set[str]:
        return {step.index for step in self.steps}

    def is_by(self, index: str, column: str) -> bool:
        """It finds what it wants in this index and reads nothing else."""
        return bool(self.steps) and all(
            step.index == index and column in step.condition for step in self.steps
        )

    def __str__(self) -> str:
        return " / ".join(map(str, self.steps)) + f" in {self.kinds}"


class Plans:
    """A manager over a store with many sessions, and the plans of what it runs."""

    def __init__(self, place: Place, patch: pytest.MonkeyPatch, *, peppers: int) -> None:
        self.place = place
        self.sessions = place.open(touch_interval=timedelta(0))
        self.issued = self.sessions.issue("ann", method="password", scopes={"read"})
        self.raw = place.connect(autocommit=True, cursor_factory=psycopg.ClientCursor)
        self.raw.execute(MULTIPLY.replace(" % ", " %% "), {"many": MANY, "peppers": peppers})
        place.sql("ANALYZE coatcheck_session")
        self.raw.execute("SET plan_cache_mode = force_generic_plan")
        self._operations: list[tuple[str, tuple[object, ...]]] = []
        run = Store.run

        def recorded(store: Store, operation: Operation[Any]) -> Result:
            statement = operation.statement.bare or operation.statement
            self._operations.append((statement.sql, parameters_of(operation, statement)))
            return run(store, operation)

        patch.setattr(Store, "run", recorded)

    def ran(self, call: Callable[[], object]) -> list[tuple[str, tuple[object, ...]]]:
        """The statements of a call."""
        self._operations.clear()
        call()
        return list(self._operations)

    def all_of(self, call: Callable[[], object]) -> list[Plan]:
        """The plans of all of them."""
        return [self._explained(sql, parameters) for sql, parameters in self.ran(call)]

    def _explained(self, sql: str, parameters: tuple[object, ...]) -> Plan:
        # The types of the parameters are the server's choice, as for both drivers.
        values = f"({', '.join(['%s'] * len(parameters))})" if parameters else ""
        raw: Any = self.raw
        raw.execute(f"PREPARE explained AS {sql}")
        execute = f"EXPLAIN (FORMAT JSON) EXECUTE explained{values}"
        [[[found]]] = raw.execute(execute, parameters).fetchall()
        raw.execute("DEALLOCATE explained")
        return Plan(found["Plan"])


@pytest.fixture(scope="module", params=[3, 1], ids=["three peppers", "one pepper"])
def plans(postgresql_url: str, request: pytest.FixtureRequest) -> Iterator[Plans]:
    with pytest.MonkeyPatch.context() as patch, new_place(postgresql_url) as place:
        yield Plans(place, patch, peppers=request.param)


def test_every_step_on_one_session_is_by_its_id(plans: Plans) -> None:
    sessions, place = plans.sessions, plans.place
    outdated = place.open(salt_length=8)
    issued = sessions.issue("eve", method="password")
    calls: list[Callable[[], object]] = [
        lambda: sessions.validate(issued.token),
        lambda: sessions.get(issued.session.id),
        lambda: sessions.update(issued.session.id, scopes={"new"}, metadata={}),
        lambda: outdated.validate(issued.token),
        lambda: sessions.revoke(issued.session.id),
    ]
    numbers = []
    for call in calls:
        found = plans.all_of(call)
        numbers.append(len(found))
        for plan in found:
            assert plan.is_by(KEY, "id ="), str(plan)
    assert numbers == [2, 1, 1, 2, 1]


def test_an_insert_and_a_ping_read_no_session(plans: Plans) -> None:
    for plan in plans.all_of(lambda: plans.sessions.issue("zoe", method="password")):
        assert plan.steps == []
    for plan in plans.all_of(plans.sessions.ping):
        assert KEY not in plan.indexes


@pytest.mark.parametrize("chosen", SUBSETS, ids=lambda chosen: "+".join(chosen) or "none")
def test_anything_with_a_user_is_by_the_users_index(plans: Plans, chosen: dict[str, Any]) -> None:
    sessions, after = plans.sessions, plans.issued.session.id
    bulk = {name: value for name, value in chosen.items() if name not in ("live", "scope")}
    revoked = {name: value for name, value in chosen.items() if name != "live"}
    calls: list[Callable[[], object]] = [
        lambda: sessions.find(user_id="user 7", **chosen),
        lambda: sessions.find(user_id="user 7", after=after, **chosen),
        lambda: sessions.count(user_id="user 7", **chosen),
        lambda: sessions.update_all(user_id="user 8", scopes={"x"}, **bulk),
        lambda: sessions.revoke_all(user_id="nobody", **revoked),
        lambda: sessions.revoke_all(user_id="nobody", keep={UUID(int=7)}, **revoked),
    ]
    for call in calls:
        for plan in plans.all_of(call):
            assert plan.is_by(USER, "user_id ="), plan


@pytest.mark.parametrize(
    "chosen",
    [{}, {"live": True}, {"live": False}, {"method": "password"},
     {"method": "password", "scope": "read"}],
    ids=str,
)  # fmt: skip
def test_a_pepper_is_counted_and_walked_by_its_index(plans: Plans, chosen: dict[str, Any]) -> None:
    sessions = plans.sessions
    for pepper_id in (plans.issued.session.pepper_id, "0123456789abcdef"):
        calls: list[Callable[[], object]] = [
            lambda p=pepper_id: sessions.count(pepper_id=p, **chosen),
            lambda p=pepper_id: sessions.find(pepper_id=p, limit=5, **chosen),
            lambda p=pepper_id: sessions.find(pepper_id=p, after=UUID(int=1 << 110), **chosen),
        ]
        for call in calls:
            for plan in plans.all_of(call):
                assert plan.is_by(PEPPER, "pepper_id ="), str(plan)
                # With more filters it takes them for few, which are as well sorted.
                assert chosen or "Sort" not in plan.kinds, str(plan)


@pytest.mark.parametrize(
    ("which", "indexes"),
    [
        ({"inactive": False}, {EXPIRY}),
        ({"expired": False}, {INACTIVITY}),
        ({}, {EXPIRY, INACTIVITY}),
    ],
    ids=["expired", "inactive", "both"],
)
def test_a_purge_finds_what_has_ended_by_the_indexes_of_the_two_ends(
    plans: Plans, which: dict[str, bool], indexes: set[str]
) -> None:
    for plan in plans.all_of(lambda: plans.sessions.purge(batch_size=1000, **which)):
        assert "Seq Scan" not in plan.kinds, str(plan)
        assert plan.indexes - {KEY} == indexes, str(plan)
        [by_key] = [step for step in plan.steps if step.index == KEY]
        assert "id = ANY" in by_key.condition


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
    ids=str,
)
def test_other_filters_walk_the_primary_key_in_order_and_stop_at_the_limit(
    plans: Plans, chosen: dict[str, Any]
) -> None:
    for after in (None, UUID(int=1 << 101)):
        for plan in plans.all_of(lambda a=after: plans.sessions.find(limit=5, after=a, **chosen)):
            assert plan.indexes == {KEY}, str(plan)
            assert plan.kinds[0] == "Limit"
            assert "Sort" not in plan.kinds
            assert (not after) or "id >" in plan.steps[0].condition, str(plan)


def test_a_retired_pepper_leaves_no_session_behind_at_the_cost_of_one_look(plans: Plans) -> None:
    """What is run before an old pepper goes: the count under it, and the bulk calls."""
    sessions = plans.sessions
    other = plans.place.open(pepper=OLD_PEPPER, fallback_peppers=[])
    pepper_id = other.pepper_status()[0].pepper_id
    for call in (
        lambda: sessions.update_all(pepper_id=pepper_id, scopes={"x"}),
        lambda: sessions.revoke_all(pepper_id=pepper_id),
    ):
        for plan in plans.all_of(call):
            assert plan.is_by(PEPPER, "pepper_id ="), str(plan)
