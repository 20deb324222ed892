"""Rows that somebody else holds: who must wait does not wait for ever, and nobody else waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic
from typing import Any

import psycopg
import pytest

from coatcheck import AsyncSessionManager, BackendUnavailable
from coatcheck_conformance.clock import Clock
from postgresql_places import FACES, Place
from sqlite_files import failing, twenty_operations, within

HASTY = timedelta(seconds=0.4)
MINUTE = timedelta(minutes=1)


@contextmanager
def held(place: Place, condition: str = "true") -> Iterator[Any]:
    """Rows that another program has locked in a transaction that it does not end."""
    with psycopg.connect(place.database, options=f"-c search_path={place.schema}") as other:
        other.execute(f"SELECT 1 FROM coatcheck_session WHERE {condition} FOR UPDATE")
        yield other
        other.rollback()


def test_a_write_to_a_row_that_is_held_ends_in_time_and_never_happens(
    place: Place, face: str
) -> None:
    sessions = place.open(face, deadline=HASTY)
    issued = sessions.issue("ann", method="password", scopes={"read"})
    before = place.row(issued.session.id)
    writes: list[Callable[[], object]] = [
        lambda: sessions.update(issued.session.id, scopes={"write"}),
        lambda: sessions.update_all(user_id="ann", scopes={"write"}),
        lambda: sessions.revoke(issued.session.id),
        lambda: sessions.revoke_all(user_id="ann"),
    ]
    with held(place):
        for write in writes:
            with failing(BackendUnavailable, HASTY) as raised:
                write()
            assert type(raised.value) is BackendUnavailable
            assert "locked" in str(raised.value)
    assert place.row(issued.session.id) == before, "nor did it when the lock was gone"
    assert sessions.validate(issued.token).scopes == {"read"}
    twenty_operations(sessions)


def test_a_validation_is_not_held_up(place: Place, face: str) -> None:
    clock = Clock()
    sessions = place.open(face, deadline=timedelta(seconds=1), clock=clock)
    issued = sessions.issue("ann", method="password")
    clock.move(5 * MINUTE)
    with held(place):
        with within(0.6):
            assert sessions.validate(issued.token).user_id == "ann", "a touch is due, and waits"
        with within(0.3):
            assert sessions.validate(issued.token, touch=False)
            assert sessions.get(issued.session.id)
            assert sessions.count(user_id="ann") == 1
            assert sessions.issue("bob", method="password")
    assert sessions.get(issued.session.id).last_used_at == issued.session.last_used_at
    assert sessions.validate(issued.token)
    assert sessions.get(issued.session.id).last_used_at > issued.session.last_used_at


def test_who_waits_goes_on_as_soon_as_the_row_is_free(place: Place, face: str) -> None:
    sessions = place.open(face)
    issued = sessions.issue("ann", method="password")
    with held(place) as other:
        threading.Timer(0.1, other.rollback).start()
        with within(1.0):
            assert sessions.update(issued.session.id, scopes={"write"}).scopes == {"write"}


def test_a_shorter_timeout_of_the_servers_own_fails_no_call_early(place: Place, face: str) -> None:
    place.new_role("SET lock_timeout = '20ms'", superuser=True)
    sessions = place.open(face)
    issued = sessions.issue("ann", method="password")
    with held(place) as other:
        threading.Timer(0.2, other.rollback).start()
        assert sessions.revoke(issued.session.id)


def test_a_purge_leaves_what_is_held_to_the_next(place: Place, face: str) -> None:
    clock = Clock()
    sessions = place.open(face, clock=clock)
    for user in ("ann", "ann", "bob", "bob", "bob"):
        sessions.issue(user, method="password", lifetime=MINUTE)
    clock.move(2 * MINUTE)
    with held(place, "user_id = 'ann'"), within(0.5):
        assert sessions.purge() == 3
    assert sessions.purge() == 2
    assert sessions.count() == 0


def test_two_purges_at_once_remove_all_and_each_session_once(place: Place, face: str) -> None:
    clock = Clock()
    maker = place.open(clock=clock)
    issued = maker.issue("ann", method="password", lifetime=MINUTE)
    kept = maker.issue("bob", method="password", lifetime=None)
    number = 1000
    place.sql(
        "INSERT INTO coatcheck_session SELECT gen_random_uuid(), user_id, method, scopes, metadata,"
        " created_at, last_used_at, expires_at, inactivity_timeout, key_hash, pepper_id"
        f" FROM coatcheck_session, generate_series(1, {number}) WHERE id = %s",
        issued.session.id,
    )
    clock.move(2 * MINUTE)
    counts = _all_at_once(place, face, 4, lambda sessions: sessions.purge(batch_size=50), clock)
    assert sum(counts) == number + 1
    assert [session.id for session in maker.find()] == [kept.session.id]


def _all_at_once(
    place: Place, face: str, callers: int, work: Callable[[Any], Any], clock: Any = None
) -> list[Any]:
    """What each of so many callers got: threads, or tasks."""
    options = {} if clock is None else {"clock": clock}
    if face == "psycopg":
        sessions = place.open(face, **options)
        answers: list[Any] = []
        threads = [
            threading.Thread(target=lambda: answers.append(_answer(work, sessions)))
            for _ in range(callers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(answers) == callers
        failures = [answer for answer in answers if isinstance(answer, Exception)]
        if failures:
            raise failures[0]
        return answers

    async def scenario() -> list[Any]:
        async with place.manager(face, **options) as manager:
            return list(await asyncio.gather(*[work(manager) for _ in range(callers)]))

    return asyncio.run(scenario())


def _answer(work: Callable[[Any], Any], sessions: Any) -> Any:
    try:
        return work(sessions)
    except Exception as error:  # noqa: BLE001 - raised above
        return error


@pytest.mark.parametrize("isolation", ["serializable", "repeatable read"])
def test_a_failure_to_serialize_is_repeated_and_costs_nobody_an_error(
    place: Place, face: str, isolation: str
) -> None:
    place.new_role(f"SET default_transaction_isolation = '{isolation}'", superuser=True)
    issued, numbers = _race(place, face)
    assert place.open().validate(issued.token).scopes <= {str(number) for number in numbers}


def _race(place: Place, face: str) -> tuple[Any, list[int]]:
    """Twelve callers who change one session again and again. Raises what any of them got."""
    issued = place.open(face).issue("ann", method="password")
    numbers = list(range(12))

    if face == "psycopg":

        def work(sessions: Any) -> int:
            for number in numbers:
                assert sessions.update(issued.session.id, scopes={str(number)})
                sessions.update_all(user_id="ann", metadata={"n": number})
            return 0

    else:

        async def work(sessions: AsyncSessionManager) -> int:  # type: ignore[misc]
            for number in numbers:
                assert await sessions.update(issued.session.id, scopes={str(number)})
                await sessions.update_all(user_id="ann", metadata={"n": number})
            return 0

    _all_at_once(place, face, 12, work)
    return issued, numbers


def test_the_test_would_see_a_failure_to_serialize(place: Place) -> None:
    """Two transactions that read before they write do fail, so the level is what was asked for."""
    place.open().issue("ann", method="password")
    one, two = (place.connect() for _ in range(2))
    for each in (one, two):
        each.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        each.execute("SELECT * FROM coatcheck_session").fetchall()
    change = "UPDATE coatcheck_session SET scopes = ' a '"
    one.execute(change)
    one.commit()
    with pytest.raises(psycopg.errors.SerializationFailure):
        two.execute(change)
    two.rollback()


def test_a_deadlock_costs_nobody_an_error(place: Place, face: str) -> None:
    """Two rows, locked by another in the order in which our one statement does not take them."""
    other = place.connect()
    # Ours is the one whom the server ends: it looks for a deadlock sooner than the other.
    other.execute("SET deadlock_timeout = '20s'")
    place.new_role("SET deadlock_timeout = '50ms'", superuser=True)
    sessions = place.open(face)
    first, second = (sessions.issue("ann", method="password") for _ in range(2))
    lock = "SELECT 1 FROM coatcheck_session WHERE id = %s FOR UPDATE"
    other.execute(lock, [second.session.id])
    ended: list[str] = []

    def take_the_other() -> None:
        _wait_for_a_waiter(place)
        try:
            other.execute(lock, [first.session.id])
            ended.append("got it")
        finally:
            other.rollback()

    thread = threading.Thread(target=take_the_other)
    thread.start()
    assert sessions.update_all(user_id="ann", scopes={"b"}) == 2
    thread.join(10)
    assert ended == ["got it"]


def _wait_for_a_waiter(place: Place) -> None:
    until = monotonic() + 5
    waiting = (
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        " AND application_name = 'coatcheck' AND datname = current_database()"
    )
    with psycopg.connect(place.database, autocommit=True) as connection:
        while not connection.execute(waiting).fetchall():
            assert monotonic() < until


def test_managers_of_every_kind_see_each_others_changes_at_once(place: Place) -> None:
    managers = [place.open(face) for face in FACES]
    issued = managers[0].issue("ann", method="password")
    for n, sessions in enumerate(managers):
        assert sessions.update(issued.session.id, scopes={str(n)})
        assert all(each.validate(issued.token).scopes == {str(n)} for each in managers)
    assert [each.revoke(issued.session.id) for each in managers] == [True, False, False]
