"""Whatever is done, and in whatever order: the indexes are what the rows say."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from asking import DAY, NOW, Asking, record
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis_server import RedisServer

from coatcheck import Record, State, Where

ENDED = frozenset[State]({"expired", "inactive"})
EXPIRED = frozenset[State]({"expired"})
INSTANTS = st.sampled_from((NOW - 1, NOW, NOW + 1, NOW + DAY - 1, NOW + DAY, NOW + 2 * DAY))
USERS = st.sampled_from(("ann", "Ann", "ann ", "an", "änn", "u:ann", "🧥"))
NUMBERS = st.integers(1, 8)
STATES = st.none() | st.sampled_from(
    (frozenset[State]({"live"}), EXPIRED, frozenset[State]({"inactive"}), ENDED)
)
WHERES = st.builds(Where, st.none() | USERS, state=STATES, now=INSTANTS)
ENDS = st.fixed_dictionaries(
    {"expires_at": st.none() | INSTANTS, "inactivity_timeout": st.none() | st.just(DAY)}
)
STEPS = st.one_of(
    st.tuples(st.just("insert"), NUMBERS, USERS, ENDS),
    st.tuples(st.just("touch"), NUMBERS, INSTANTS),
    st.tuples(st.just("replace_key_hash"), NUMBERS, st.sampled_from(("$canary-hash$", "$other$"))),
    st.tuples(st.just("update"), NUMBERS, ENDS, WHERES),
    st.tuples(st.just("delete"), NUMBERS, WHERES),
    st.tuples(st.just("delete_where"), WHERES, st.frozensets(NUMBERS, max_size=2)),
    st.tuples(st.just("purge"), WHERES, st.integers(0, 4)),
)
MANY = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def expected(rows: list[Record]) -> dict[str, Any]:
    members = {f"i:{row.id.hex}" for row in rows}
    members |= {f"u:{row.user_id}\0{row.id.hex}" for row in rows}
    ends = {row.id.hex: row.valid_until for row in rows if row.valid_until is not None}
    return {"members": members, "ends": ends, "keys": {row.id.hex for row in rows}}


def found(client: Any) -> dict[str, Any]:
    return {
        "members": set(client.zrange("{coatcheck}:index", 0, -1)),
        "ends": dict(client.zrange("{coatcheck}:ends", 0, -1, withscores=True)),
        "keys": {key.rpartition(":")[2] for key in client.keys("*:session:*")},
    }


def test_indexes_are_exactly_what_the_rows_say(store: Asking, server: RedisServer) -> None:
    @MANY
    @given(steps=st.lists(STEPS, max_size=25))
    def check(steps: list[Any]) -> None:
        client.delete("{coatcheck}:index", "{coatcheck}:ends", *client.keys("*:session:*"))
        model: dict[int, Record] = {}
        for hook, *args in steps:
            taken(store, model, hook, *args)
            rows = sorted(model.values(), key=lambda row: row.id)
            assert store.ask("find", Where(), None, 100) == rows
            assert found(client) == expected(rows)

    with server.client(decode_responses=True) as client:
        check()


def taken(store: Asking, model: dict[int, Record], hook: str, *args: Any) -> None:
    """One step, in the store and in the model."""
    if hook == "insert":
        number, user_id, ends = args
        if number not in model:
            model[number] = record(number, user_id, **ends)
            store.ask("insert", model[number])
    elif hook == "touch":
        number, now = args
        row = model.get(number)
        is_live = row is not None and row.state(now) == "live"
        assert store.ask("touch", UUID(int=number), now) == is_live
        if row is not None and is_live:
            model[number] = row._replace(last_used_at=max(now, row.last_used_at))
    elif hook == "replace_key_hash":
        number, old = args
        is_there = number in model and model[number].key_hash == old
        assert store.ask("replace_key_hash", UUID(int=number), old, "$other$", "p") == is_there
        if is_there:
            model[number] = model[number]._replace(key_hash="$other$", pepper_id="p")
    elif hook == "update":
        number, changes, where = args
        if number in model and where.matches(model[number]):
            model[number] = model[number]._replace(**changes)
            assert store.ask("update", UUID(int=number), changes, where) == model[number]
        else:
            assert store.ask("update", UUID(int=number), changes, where) is None
    else:
        taken_away(store, model, hook, *args)


def taken_away(store: Asking, model: dict[int, Record], hook: str, *args: Any) -> None:
    if hook == "delete":
        number, where = args
        goes = number in model and where.matches(model[number])
        assert (store.ask("delete", UUID(int=number), where) is not None) == goes
        if goes:
            del model[number]
    elif hook == "delete_where":
        where, keep = args
        going = [n for n, row in sorted(model.items()) if where.matches(row) and n not in keep]
        gone = store.ask("delete_where", where, frozenset(UUID(int=n) for n in keep))
        assert [ref.id.int for ref in gone] == going
        for number in going:
            del model[number]
    else:
        where, limit = args
        going = [number for number, row in model.items() if where.matches(row)]
        assert store.ask("purge", where, limit) == min(limit, len(going))
        left = {row.id.int for row in store.ask("find", Where(), None, 100)}
        assert set(model) - left <= set(going)
        for number in set(model) - left:
            del model[number]


def test_more_sessions_than_one_run_looks_at(store: Asking) -> None:
    rows = [record(n, f"user-{n % 3}", expires_at=NOW + n) for n in range(1, 2_501)]
    for row in rows:
        store.ask("insert", row)
    late, early = rows[1_600:], rows[:1_600]
    ended = Where(state=ENDED, now=late[0].created_at + 1_600)
    assert store.ask("count", Where()) == len(rows)
    assert store.ask("find", Where(method="other"), None, 5) == []
    assert store.ask("find", Where(), rows[1_998].id, 501) == rows[1_999:]
    assert store.ask("find", ended, rows[1_595].id, 1_000) == early[1_596:]
    in_one_way = ended._replace(state=EXPIRED)
    most = 1_100
    assert store.ask("purge", in_one_way, most) == most
    assert store.ask("purge", ended, most) == len(early) - most
    assert store.ask("purge", ended, most) == 0
    theirs = [row for row in late if row.user_id == "user-1"]
    gone = store.ask("delete_where", Where(user_id="user-1"), frozenset({theirs[0].id}))
    assert [ref.id for ref in gone] == [row.id for row in theirs[1:]]
    assert store.ask("count", Where()) == len(late) - len(gone)
