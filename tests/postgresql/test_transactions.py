"""Law 17: inside the caller's transaction, all of it or nothing, and seen by nobody before."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from typing import Any

import pytest
from psycopg.rows import dict_row
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker
from sqlalchemy.orm import scoped_session, sessionmaker

from coatcheck import BackendUnavailable, InvalidInput, RejectionReason
from coatcheck_conformance.clock import Clock
from postgresql_desks import Blocking, Desk, new_engine
from postgresql_places import FACES, OLD_PEPPER, Place
from sqlite_files import failing, twenty_operations, within
from transactions import WAYS

HASTY = timedelta(seconds=0.4)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def desk(place: Place, face: str, way: str) -> Desk:
    return Desk(place, face, way)


def test_changes_are_seen_inside_and_not_outside_and_appear_at_the_commit(desk: Desk) -> None:
    kept, gone = (desk.sessions.issue(user, method="password") for user in ("ann", "bob"))
    with desk.transaction() as transaction:
        bound = desk.within(transaction)
        new = bound.issue("eve", method="password", scopes={"read"}, metadata={"a": [1, None]})
        bound.update(kept.session.id, scopes={"changed"})
        assert bound.revoke(gone.session.id)
        assert bound.validate(new.token) == new.session
        assert bound.get(new.session.id) == new.session
        assert bound.validate(kept.token).scopes == {"changed"}
        assert bound.validate(gone.token).reason is RejectionReason.UNKNOWN
        assert bound.count() == 2
        for outside in (desk.witness, desk.sessions):
            assert outside.validate(new.token).reason is RejectionReason.UNKNOWN
            assert outside.validate(kept.token).scopes == frozenset()
            assert outside.validate(gone.token) == gone.session
        transaction.commit()
    for outside in (desk.witness, desk.sessions):
        assert outside.validate(new.token) == new.session
        assert outside.validate(kept.token).scopes == {"changed"}
        assert outside.validate(gone.token).reason is RejectionReason.UNKNOWN


@pytest.mark.parametrize("end", ["rollback", "close", "exception"])
def test_nothing_is_left_of_a_transaction_that_did_not_commit(desk: Desk, end: str) -> None:
    kept = [desk.sessions.issue(user, method="password") for user in ("ann", "ann", "bob")]
    before = desk.witness.find()

    def work() -> Any:
        with desk.transaction() as transaction:
            bound = desk.within(transaction)
            new = bound.issue("eve", method="password")
            bound.update(kept[0].session.id, metadata={"new": True})
            bound.update_all(user_id="ann", scopes={"new"})
            bound.revoke(kept[2].session.id)
            bound.revoke_all(user_id="ann", keep={kept[0].session.id})
            desk.note(transaction, "lost")
            if end == "exception":
                raise LookupError(new.token)
            if end == "rollback":
                transaction.rollback()
            return new.token

    if end == "exception":
        with pytest.raises(LookupError) as raised:
            work()
        token = raised.value.args[0]
    else:
        token = work()
    assert desk.witness.find() == before
    assert desk.notes() == []
    assert desk.witness.validate(token).reason is RejectionReason.UNKNOWN
    assert all(desk.sessions.validate(each.token) == each.session for each in kept)


def test_statements_of_the_users_and_ours_are_one_transaction(desk: Desk) -> None:
    with desk.transaction() as transaction:
        desk.note(transaction, "one")
        bound = desk.within(transaction)
        token = bound.issue("ann", method="password").token
        desk.note(transaction, "two")
        seen = transaction.execute(text("SELECT user_id FROM coatcheck_session")).scalars().all()
        assert seen == ["ann"]
        assert desk.notes() == []
        transaction.commit()
    assert desk.notes() == ["one", "two"]
    assert desk.witness.validate(token)
    assert len(desk.place.sql("SELECT DISTINCT xmin FROM note")) == 1


def test_every_call_works_inside(desk: Desk) -> None:
    with desk.transaction() as transaction:
        bound = desk.within(transaction)
        issued = [bound.issue(f"user {n}", method="password", scopes={"a"}) for n in range(4)]
        in_order = sorted((each.session for each in issued), key=lambda session: session.id)
        assert bound.find(limit=2) == in_order[:2]
        assert bound.find(scope="a", live=True, after=in_order[1].id) == in_order[2:]
        assert bound.update_all(method="password", scopes={"b"}) == 4
        assert bound.count(scope="b") == 4
        assert bound.pepper_status()[0].sessions == 4
        assert len(bound.revoke_all(user_id="user 0", keep={issued[1].session.id})) == 1
        assert bound.purge() == 0
        bound.ping()
        transaction.commit()
    assert desk.witness.count() == 3


def test_validate_inside_neither_touches_nor_rewrites(place: Place, face: str, way: str) -> None:
    clock = Clock()
    old = place.open(pepper=OLD_PEPPER, clock=clock).issue("ann", method="password")
    desk = Desk(place, face, way)
    due = place.open(face, fallback_peppers=[OLD_PEPPER], clock=clock)
    clock.move(timedelta(hours=1))
    before = place.row(old.session.id)
    with desk.transaction() as transaction:
        assert place.within(due, transaction).validate(old.token) == old.session
        transaction.commit()
    assert place.row(old.session.id) == before
    assert due.validate(old.token)
    assert place.row(old.session.id) != before


def test_a_refused_call_leaves_the_rest_of_the_transaction_alone(desk: Desk) -> None:
    with desk.transaction() as transaction:
        bound = desk.within(transaction)
        token = bound.issue("ann", method="password").token
        with pytest.raises(InvalidInput):
            bound.issue("", method="password")
        desk.note(transaction, "kept")
        transaction.commit()
    assert desk.witness.validate(token)
    assert desk.notes() == ["kept"]


def test_a_transaction_in_which_a_statement_failed_says_so_until_it_is_rolled_back(
    desk: Desk,
) -> None:
    with desk.transaction() as transaction:
        bound = desk.within(transaction)
        bound.issue("ann", method="password")
        with pytest.raises(Exception, match="division by zero"):
            transaction.execute(text("SELECT 1 / 0"))
        for call in (bound.count, bound.find, lambda: bound.issue("eve", method="password")):
            with pytest.raises(InvalidInput, match="roll it back"):
                call()
        transaction.rollback()
        assert desk.told == []
        if desk.way == "connection":
            transaction.begin()
        assert desk.within(transaction).issue("bob", method="password")
        transaction.commit()
    assert [session.user_id for session in desk.witness.find()] == ["bob"]


def test_a_failure_inside_a_savepoint_is_over_with_it(desk: Desk) -> None:
    with desk.transaction() as transaction:
        bound = desk.within(transaction)
        bound.issue("ann", method="password")
        inner = transaction.begin_nested()
        with pytest.raises(Exception, match="division by zero"):
            transaction.execute(text("SELECT 1 / 0"))
        inner.rollback()
        assert bound.count() == 1
        transaction.commit()
    assert desk.witness.count() == 1


def test_a_row_that_another_holds_ends_the_wait_and_the_transaction_in_time(
    place: Place, face: str, way: str
) -> None:
    desk = Desk(place, face, way)
    hasty = place.open(face, deadline=HASTY)
    issued = hasty.issue("ann", method="password")
    other = place.connect()
    other.execute("SELECT 1 FROM coatcheck_session FOR UPDATE")
    with desk.transaction() as transaction:
        desk.note(transaction, "lost with it")
        bound = place.within(hasty, transaction)
        with failing(BackendUnavailable, HASTY):
            bound.revoke(issued.session.id)
        with pytest.raises((InvalidInput, BackendUnavailable)):
            bound.count()
        other.rollback()
        if way == "session":
            transaction.rollback()
    assert desk.notes() == []
    assert hasty.validate(issued.token), "nor was it revoked when the lock was gone"
    with desk.transaction() as transaction:
        assert place.within(hasty, transaction).revoke(issued.session.id)
        transaction.commit()
    twenty_operations(hasty)


def test_the_callers_settings_are_as_they_were(desk: Desk) -> None:
    shown = "SELECT current_setting('lock_timeout'), current_setting('statement_timeout')"
    issued = desk.sessions.issue("ann", method="password")
    with desk.transaction() as transaction:
        transaction.execute(text("SET LOCAL lock_timeout = '7s'"))
        transaction.execute(text("SET LOCAL synchronous_commit = off"))
        bound = desk.within(transaction)
        bound.update(issued.session.id, scopes={"a"})
        bound.issue("bob", method="password")
        assert transaction.execute(text(shown)).one() == ("7s", "0")
        lasting = transaction.execute(text("SHOW synchronous_commit")).scalar_one()
        assert lasting == "on", "what is acknowledged is kept"
        transaction.commit()
    with desk.transaction() as transaction:
        assert transaction.execute(text("SHOW synchronous_commit")).scalar_one() == "on"
        assert transaction.execute(text(shown)).one() == ("0", "0")


@pytest.mark.parametrize("face", [face for face in FACES if face != "asyncpg"])
def test_a_factory_of_rows_of_the_callers_own_does_not_matter(
    place: Place, face: str, way: str
) -> None:
    desk = Desk(place, face, way)
    with desk.transaction() as transaction:
        connection = transaction.connection() if way == "session" else transaction
        _driver(desk, connection).row_factory = dict_row
        bound = desk.within(transaction)
        issued = bound.issue("ann", method="password")
        assert bound.update(issued.session.id, scopes={"a"}).scopes == {"a"}
        assert [session.user_id for session in bound.find()] == ["ann"]
        assert bound.count() == 1
        transaction.commit()


def _driver(desk: Desk, connection: Any) -> Any:
    if desk.face == "psycopg":
        return connection.connection.driver_connection
    awaited = getattr(connection, "awaited", connection)
    return desk.place.runner.run(awaited.get_raw_connection()).driver_connection


def test_an_engine_that_echoes_logs_no_hash_and_no_salt(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.engine = desk.new_engine(echo=True)
    with caplog.at_level(logging.DEBUG), desk.transaction() as transaction:
        bound = desk.within(transaction)
        issued = bound.issue("ann", method="password")
        bound.update(issued.session.id, scopes={"read"})
        bound.find()
        desk.note(transaction, "echoed")
        transaction.commit()
    assert "INSERT INTO note" in caplog.text, "the echo is on"
    [(key_hash,)] = desk.place.sql("SELECT key_hash FROM coatcheck_session")
    for part in (*key_hash.split("$")[3:], issued.token):
        assert part not in caplog.text


def test_scoped_sessions_are_sessions(place: Place, face: str) -> None:
    desk = Desk(place, face, "session")
    registry: Any
    if face == "psycopg":
        registry = scoped_session(sessionmaker(desk.engine))
    else:
        makers = async_sessionmaker(desk.engine)
        scope = async_scoped_session(makers, scopefunc=threading.get_ident)
        registry = Blocking(scope, place.runner)
    token = desk.within(registry).issue("ann", method="password").token
    assert desk.told == []
    registry.commit()
    assert desk.told == ["session_issued"]
    registry.remove()
    assert desk.witness.validate(token)


def test_a_transaction_on_the_other_driver_is_fine_for_the_asynchronous_manager(
    place: Place, way: str
) -> None:
    for manager, driver in (("async psycopg", "asyncpg"), ("asyncpg", "async psycopg")):
        sessions = place.open(manager)
        desk = Desk(place, driver, way)
        with desk.transaction() as transaction:
            token = place.within(sessions, transaction).issue("ann", method="password").token
            transaction.commit()
        assert sessions.validate(token)
        place.sql("DROP TABLE note")


def test_a_connection_that_was_cut_is_unavailable_and_the_pool_goes_on(desk: Desk) -> None:
    with desk.transaction() as transaction:
        bound = desk.within(transaction)
        bound.issue("ann", method="password")
        [[pid]] = transaction.execute(text("SELECT pg_backend_pid()")).all()
        desk.place.sql("SELECT pg_terminate_backend(%s, 5000)", pid)
        with pytest.raises(BackendUnavailable), within(1):
            bound.count()
        if desk.way == "session":
            transaction.rollback()
    assert desk.told == []
    with desk.transaction() as transaction:
        assert desk.within(transaction).count() == 0


def test_an_asynchronous_session_can_be_passed_by_itself(place: Place, async_face: str) -> None:
    """The manager that is not behind a blocking face, as an application has it."""
    engine = new_engine(place, async_face, place.database)

    async def scenario() -> None:
        async with place.manager(async_face) as sessions:
            async with AsyncSession(engine) as session, session.begin():
                bound = sessions.within(session)
                issued = await bound.issue("ann", method="password")
            assert await sessions.validate(issued.token)
            async with engine.begin() as connection:
                bound = sessions.within(connection)
                assert await bound.revoke(issued.session.id)
            await bound.committed()
            assert not await sessions.validate(issued.token)

    place.runner.run(scenario())
