"""Law 17: inside the caller's transaction, all of it or nothing, and seen by nobody before."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session as OrmSession
from sqlalchemy.orm import scoped_session, sessionmaker

from coatcheck import (
    BackendUnavailable,
    InvalidInput,
    IssueDenied,
    ManagerClosed,
    RejectionReason,
    SessionManager,
    Unsupported,
    hookimpl,
)
from sqlite_files import OLD_PEPPER, PEPPER, Place
from transactions import WAYS, Desk


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def desk(place: Place, face: str, way: str) -> Desk:
    return Desk(place, face, way)


@pytest.fixture(params=["as it comes", "eager"])
def any_desk(place: Place, face: str, way: str, request: pytest.FixtureRequest) -> Desk:
    return Desk(place, face, way, eager=request.param == "eager")


def test_changes_are_seen_inside_and_not_outside_and_appear_at_the_commit(any_desk: Desk) -> None:
    kept, gone = (any_desk.sessions.issue(user, method="password") for user in ("ann", "bob"))
    with any_desk.transaction() as transaction:
        bound = any_desk.within(transaction)
        new = bound.issue("eve", method="password", scopes={"read"}, metadata={"a": [1, None]})
        bound.update(kept.session.id, scopes={"changed"})
        assert bound.revoke(gone.session.id)
        assert bound.validate(new.token) == new.session
        assert bound.get(new.session.id) == new.session
        assert bound.validate(kept.token).scopes == {"changed"}
        assert bound.validate(gone.token).reason is RejectionReason.UNKNOWN
        assert bound.count() == 2
        for outside in (any_desk.witness, any_desk.sessions):
            assert outside.validate(new.token).reason is RejectionReason.UNKNOWN
            assert outside.validate(kept.token).scopes == frozenset()
            assert outside.validate(gone.token) == gone.session
        transaction.commit()
    for outside in (any_desk.witness, any_desk.sessions):
        assert outside.validate(new.token) == new.session
        assert outside.validate(kept.token).scopes == {"changed"}
        assert outside.validate(gone.token).reason is RejectionReason.UNKNOWN


@pytest.mark.parametrize("end", ["rollback", "close", "exception"])
def test_nothing_is_left_of_a_transaction_that_did_not_commit(any_desk: Desk, end: str) -> None:
    kept = [any_desk.sessions.issue(user, method="password") for user in ("ann", "ann", "bob")]
    before = any_desk.witness.find()

    def work() -> Any:
        with any_desk.transaction() as transaction:
            bound = any_desk.within(transaction)
            new = bound.issue("eve", method="password")
            bound.update(kept[0].session.id, metadata={"new": True})
            bound.update_all(user_id="ann", scopes={"new"})
            bound.revoke(kept[2].session.id)
            bound.revoke_all(user_id="ann", keep={kept[0].session.id})
            any_desk.note(transaction, "lost")
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
    assert any_desk.witness.find() == before
    assert any_desk.notes() == []
    assert any_desk.witness.validate(token).reason is RejectionReason.UNKNOWN
    assert all(any_desk.sessions.validate(each.token) == each.session for each in kept)


def test_a_statement_of_the_users_and_ours_commit_together(any_desk: Desk) -> None:
    with any_desk.transaction() as transaction:
        any_desk.note(transaction, "one")
        bound = any_desk.within(transaction)
        token = bound.issue("ann", method="password").token
        any_desk.note(transaction, "two")
        seen = transaction.execute(text("SELECT user_id FROM coatcheck_session")).scalars().all()
        assert seen == ["ann"]
        assert any_desk.notes() == []
        transaction.commit()
    assert any_desk.notes() == ["one", "two"]
    assert any_desk.witness.validate(token)


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
        assert len(bound.revoke_all(user_id="user 0")) == 1
        assert bound.purge() == 0
        bound.ping()
        transaction.commit()
    assert desk.witness.count() == 3


def test_a_failed_call_leaves_the_rest_of_the_transaction_alone(desk: Desk) -> None:
    with desk.transaction() as transaction:
        bound = desk.within(transaction)
        token = bound.issue("ann", method="password").token
        with pytest.raises(InvalidInput):
            bound.issue("", method="password")
        with pytest.raises(InvalidInput):
            bound.update_all(scopes=())
        desk.note(transaction, "kept")
        transaction.commit()
    assert desk.witness.validate(token)
    assert desk.notes() == ["kept"]


def test_validate_inside_neither_touches_nor_rewrites(place: Place, face: str, way: str) -> None:
    old = place.open(pepper=OLD_PEPPER).issue("ann", method="password")
    desk = Desk(place, face, way)
    eager = place.open(face, fallback_peppers=[OLD_PEPPER], touch_interval=timedelta(0))
    before = place.row(old.session.id)
    with desk.transaction() as transaction:
        bound = place.within(eager, transaction)
        assert bound.validate(old.token) == old.session
        transaction.commit()
    assert place.row(old.session.id) == before
    assert eager.validate(old.token)
    assert place.row(old.session.id) != before


def test_a_sign_in_can_be_denied_inside(place: Place, face: str, way: str) -> None:
    asked = []

    class Doorman:
        @hookimpl
        def session_issuing(self, session: Any) -> None:
            asked.append(session.user_id)
            if session.user_id == "mallory":
                raise PermissionError

    desk = Desk(place, face, way)
    guarded = place.open(face, plugins=[Doorman()])
    with desk.transaction() as transaction:
        bound = place.within(guarded, transaction)
        bound.issue("ann", method="password")
        with pytest.raises(IssueDenied):
            bound.issue("mallory", method="password")
        assert asked == ["ann", "mallory"], "before the commit"
        transaction.commit()
    assert [session.user_id for session in desk.witness.find()] == ["ann"]


def test_a_transaction_of_another_database_is_refused(desk: Desk, tmp_path: Any) -> None:
    other = create_engine(f"sqlite:///{tmp_path / 'other.db'}")
    memory = create_engine("sqlite://")
    for engine in (other, memory):
        with engine.connect() as connection, pytest.raises(InvalidInput, match="another database"):
            desk.sessions.within(connection)
        with OrmSession(engine) as session, pytest.raises(InvalidInput, match="another database"):
            desk.sessions.within(session)
        engine.dispose()


@pytest.mark.parametrize("what", [None, 7, "transaction", object(), "engine", "raw", "factory"])
def test_what_is_no_transaction_is_refused(desk: Desk, what: Any) -> None:
    if what == "engine":
        what = desk.engine
    elif what == "raw":
        with desk.engine.connect() as connection:
            driver = connection.connection.driver_connection
            with pytest.raises(InvalidInput, match="transaction"):
                desk.sessions.within(driver)
        return
    elif what == "factory":
        what = sessionmaker(desk.engine)
    with pytest.raises(InvalidInput, match="transaction"):
        desk.sessions.within(what)


def test_a_transaction_that_is_over_is_refused(desk: Desk) -> None:
    with desk.transaction() as transaction:
        bound = desk.within(transaction)
        bound.issue("ann", method="password")
        transaction.commit()
    if desk.way == "connection":
        with pytest.raises(InvalidInput, match="transaction"):
            desk.within(transaction)
        with pytest.raises(InvalidInput, match="transaction"):
            bound.count()
    # A closed Session begins anew, by SQLAlchemy's own rule.


def test_a_scoped_session_is_a_session(place: Place, face: str) -> None:
    desk = Desk(place, face, "session")
    registry = scoped_session(sessionmaker(desk.engine))
    token = desk.within(registry).issue("ann", method="password").token
    assert desk.told == []
    registry.commit()
    assert desk.told == ["session_issued"]
    registry.remove()
    assert desk.witness.validate(token)


def test_a_store_in_memory_has_no_transactions(place: Place, face: str) -> None:
    engine = create_engine("sqlite://")
    for url in ("memory:", "sqlite://"):
        with (
            SessionManager.open(url, pepper=PEPPER) as sessions,
            engine.connect() as connection,
            pytest.raises(Unsupported, match="transactions"),
        ):
            sessions.within(connection)
    engine.dispose()


def test_a_closed_manager_works_inside_no_transaction(desk: Desk) -> None:
    with desk.transaction() as transaction:
        bound = desk.within(transaction)
        bound.issue("ann", method="password")
        desk.sessions.close()
        with pytest.raises(ManagerClosed):
            bound.count()


def test_a_lock_that_another_holds_ends_the_wait_at_the_deadline(
    place: Place, face: str, way: str
) -> None:
    desk = Desk(place, face, way)
    hasty = place.open(face, deadline=timedelta(seconds=0.2))
    worker = place.worker()
    worker.ask("lock", how="IMMEDIATE")
    with desk.transaction() as transaction:
        bound = place.within(hasty, transaction)
        with pytest.raises(BackendUnavailable):
            bound.issue("ann", method="password")
        worker.ask("unlock")
        token = bound.issue("ann", method="password").token
        transaction.commit()
    assert desk.witness.validate(token)


def test_an_engine_that_echoes_logs_no_hash_and_no_salt(
    place: Place, face: str, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(place, face, way)
    desk.engine = desk.new_engine(echo=True)
    with caplog.at_level(logging.DEBUG), desk.transaction() as transaction:
        bound = desk.within(transaction)
        issued = bound.issue("ann", method="password")
        bound.update(issued.session.id, scopes={"read"})
        bound.find()
        desk.note(transaction, "echoed")
        transaction.commit()
    assert "INSERT INTO note" in caplog.text, "the echo is on"
    [(key_hash,)] = place.sql("SELECT key_hash FROM coatcheck_session")
    for part in (*key_hash.split("$")[3:], issued.token):
        assert part not in caplog.text
