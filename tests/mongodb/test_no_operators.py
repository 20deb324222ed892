"""No input becomes an operator, a path of fields or a variable, in whatever field it stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coatcheck import Record, SessionRef, Where
from mongodb_places import FACES, Place
from shared_servers import mongodb_database

TRICKS = [
    "$$NOW", "$$ROOT", "$$REMOVE", "$user_id", "$key_hash", "$", "$$", "$ne", "a.b", ".", "..",
    "$.x", "_id", "user_id", '{"$ne": ""}', "$literal", "$set", "__proto__", "[]", "null", "0",
]  # fmt: skip
TEXTS = st.sampled_from(TRICKS) | st.text(
    st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=40
)
SCOPES = st.frozensets(
    st.sampled_from([trick for trick in TRICKS if " " not in trick and '"' not in trick]),
    max_size=4,
)
INSTANTS = st.integers(1, 2**52)


@st.composite
def records(draw: st.DrawFn) -> Record:
    timeout = draw(st.none() | st.integers(1000, 2**45))
    return Record(
        id=uuid4(),
        user_id=draw(TEXTS),
        method=draw(TEXTS),
        scopes=draw(SCOPES),
        metadata=draw(TEXTS),
        created_at=draw(INSTANTS),
        last_used_at=draw(INSTANTS),
        expires_at=draw(st.none() | INSTANTS),
        inactivity_timeout=timeout,
        key_hash=draw(TEXTS),
        pepper_id=draw(TEXTS),
    )


@pytest.fixture(scope="module", params=FACES)
def backend(request: pytest.FixtureRequest, mongodb_url: str) -> Iterator[Any]:
    with mongodb_database(mongodb_url) as url:
        place = Place(url)
        yield place.backend(request.param)
        place.close()


tried = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def test_what_is_stored_comes_back_and_is_found_by_its_values_alone(backend: Any) -> None:
    @tried
    @given(records(), records())
    def example(record: Record, other: Record) -> None:
        backend.delete_where(Where(), frozenset[UUID]())
        for each in (record, other):
            backend.insert(each)
            assert backend.load(each.id) == each
        for where in (
            Where(user_id=record.user_id),
            Where(method=record.method),
            Where(pepper_id=record.pepper_id),
            *[Where(scope=scope) for scope in record.scopes],
            Where(record.user_id, record.method, None, record.pepper_id),
        ):
            expected = sorted(each for each in (record, other) if where.matches(each))
            assert backend.find(where, None, 10) == expected
            assert backend.count(where) == len(expected)
        assert backend.pepper_counts() == {
            each.pepper_id: [record.pepper_id, other.pepper_id].count(each.pepper_id)
            for each in (record, other)
        }
        deleted = backend.delete_where(Where(user_id=record.user_id), frozenset({other.id}))
        assert deleted == [SessionRef(record.id, record.user_id, record.method)]

    example()


def test_a_change_sets_the_very_value_and_no_other_field(backend: Any) -> None:
    @tried
    @given(records(), records(), st.sets(st.sampled_from(["scopes", "metadata", "expires_at",
                                                          "inactivity_timeout"])))  # fmt: skip
    def example(record: Record, new: Record, names: set[str]) -> None:
        changes: Any = {name: getattr(new, name) for name in names}
        backend.insert(record)
        assert backend.update(record.id, changes, Where()) == record._replace(**changes)
        assert backend.load(record.id) == record._replace(**changes)
        assert backend.update_where(Where(user_id=record.user_id), changes) >= 1
        assert backend.load(record.id) == record._replace(**changes)
        assert backend.replace_key_hash(record.id, new.key_hash + "x", "y", "z") is False
        assert backend.replace_key_hash(record.id, record.key_hash, new.key_hash, new.pepper_id)
        expected = record._replace(**changes, key_hash=new.key_hash, pepper_id=new.pepper_id)
        assert backend.load(record.id) == expected
        now = expected.last_used_at + 1
        live = expected.state(now) == "live"
        assert backend.touch(record.id, now) is live
        assert backend.load(record.id) == (
            expected._replace(last_used_at=now) if live else expected
        )
        assert backend.touch(record.id, now - 5) is (expected.state(now - 5) == "live")

    example()


def test_every_subset_of_states_agrees_with_the_reference(backend: Any) -> None:
    states: list[Any] = ["live", "expired", "inactive"]

    @tried
    @given(st.lists(records(), max_size=6), st.sets(st.sampled_from(states)), INSTANTS)
    def example(stored: list[Record], state: set[Any], now: int) -> None:
        backend.delete_where(Where(), frozenset[UUID]())
        ends = [record.valid_until for record in stored if record.valid_until is not None]
        for record in stored:
            backend.insert(record)
        for moment in (now, *[end + offset for end in ends for offset in (-1, 0)]):
            where = Where(state=frozenset(state), now=moment)
            expected = [record for record in sorted(stored) if where.matches(record)]
            assert backend.find(where, None, 10) == expected
            assert backend.count(where) == len(expected)
        where = Where(state=frozenset(state), now=now)
        matching = [record for record in stored if where.matches(record)]
        assert backend.purge(where, 10) == len(matching)
        assert backend.purge(where, 10) == 0
        assert backend.count(Where()) == len(stored) - len(matching)

    example()


@pytest.mark.parametrize("value", ["a\ud800", 2**63, -(2**63) - 1])
def test_what_cannot_be_stored_is_an_error_of_ours_without_its_value(
    backend: Any, value: Any
) -> None:
    from coatcheck import BackendError

    record = Record(uuid4(), "u", "m", frozenset(), "{}", 1, 1, None, None, "canary", "p")
    name = "user_id" if isinstance(value, str) else "created_at"
    with pytest.raises(BackendError) as raised:
        backend.insert(record._replace(**{name: value}))
    assert raised.value.__context__ is None
    if not isinstance(value, str):
        return
    with pytest.raises(BackendError):
        backend.find(Where(user_id=value), None, 1)
