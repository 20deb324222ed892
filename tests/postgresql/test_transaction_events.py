"""Law 17 of events: what did not survive is never told, and nothing is told before it did."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session as OrmSession

from coatcheck import IssueDenied, hookimpl
from postgresql_desks import Desk, new_engine
from postgresql_places import Place
from transactions import WAYS


@pytest.fixture(params=WAYS)
def any_desk(place: Place, face: str, request: pytest.FixtureRequest) -> Desk:
    return Desk(place, face, request.param)


@pytest.fixture
def desk(place: Place, face: str) -> Desk:
    return Desk(place, face, "session")


@pytest.fixture
def at_connection(place: Place, face: str) -> Desk:
    return Desk(place, face, "connection")


def test_nothing_is_told_before_the_commit_nor_after_a_rollback(any_desk: Desk) -> None:
    with any_desk.transaction() as transaction:
        bound = any_desk.within(transaction)
        issued = bound.issue("ann", method="password")
        bound.update(issued.session.id, scopes={"a"})
        bound.validate("no token")
        bound.revoke(issued.session.id)
        assert any_desk.told == []
        transaction.rollback()
    assert any_desk.told == []


def test_with_a_session_all_is_told_after_its_commit_by_itself_and_once(desk: Desk) -> None:
    seen_at_telling: list[int] = []

    class Looker:
        @hookimpl
        def session_issued(self, session: Any) -> None:
            seen_at_telling.append(desk.witness.count(user_id="ann"))

    looking = desk.place.open(desk.face, plugins=[Looker()])
    with desk.transaction() as transaction:
        desk.place.within(looking, transaction).issue("ann", method="password")
        bound = desk.within(transaction)
        issued = bound.issue("ann", method="password")
        bound.update(issued.session.id, scopes={"a"})
        bound.update_all(user_id="ann", scopes={"b"})
        bound.validate("no token")
        bound.revoke(issued.session.id)
        transaction.commit()
        assert desk.told == ["session_issued", "session_updated", "sessions_updated",
                             "session_rejected", "sessions_revoked"]  # fmt: skip
        bound.committed()
    assert desk.told == []
    assert seen_at_telling == [1], "others see it when it is told"


def test_a_session_can_commit_again_and_again(desk: Desk) -> None:
    with desk.transaction() as transaction:
        bound = desk.within(transaction)
        for end, told in [("commit", ["session_issued"]), ("rollback", []),
                          ("commit", ["session_issued"])]:  # fmt: skip
            bound.issue("ann", method="password")
            assert desk.told == []
            getattr(transaction, end)()
            assert desk.told == told
        bound.issue("ann", method="password")
    assert desk.told == [], "closed without a commit"
    assert desk.witness.count() == 2


def test_a_flush_of_the_users_own_objects_is_no_commit(desk: Desk) -> None:
    with desk.transaction() as transaction:
        bound = desk.within(transaction)
        bound.issue("ann", method="password")
        desk.note(transaction, "flushed")
        transaction.flush()
        assert desk.told == []
        transaction.commit()
    assert desk.told == ["session_issued"]


def test_a_commit_that_the_server_refuses_tells_nothing(desk: Desk) -> None:
    """A deferred constraint fails at the commit, when all statements have gone well."""
    desk.place.sql("ALTER TABLE note ADD UNIQUE (text) DEFERRABLE INITIALLY DEFERRED")
    with desk.transaction() as transaction:
        desk.within(transaction).issue("ann", method="password")
        desk.note(transaction, "twice")
        desk.note(transaction, "twice")
        with pytest.raises(Exception, match="unique"):
            transaction.commit()
        transaction.rollback()
    assert desk.told == []
    assert desk.witness.count() == 0


def test_a_session_over_a_connection_that_goes_on_tells_nothing_by_itself(
    place: Place, face: str
) -> None:
    desk = Desk(place, face, "connection")
    with desk.transaction() as outer:
        if face == "psycopg":
            with OrmSession(outer) as session:
                desk.within(session).issue("ann", method="password")
                session.commit()
        else:

            async def inner() -> None:
                async with AsyncSession(outer.awaited) as session:
                    await desk.sessions.manager.within(session).issue("ann", method="password")
                    await session.commit()

            place.runner.run(inner())
        assert desk.told == [], "the connection's own transaction is not committed"
        outer.rollback()
    assert desk.told == []
    assert desk.witness.count() == 0


def test_a_connection_is_told_at_committed_and_once(at_connection: Desk) -> None:
    with at_connection.transaction() as transaction:
        bound = at_connection.within(transaction)
        issued = bound.issue("ann", method="password")
        bound.revoke(issued.session.id)
        transaction.commit()
        assert at_connection.told == []
        bound.committed()
        assert at_connection.told == ["session_issued", "sessions_revoked"]
        bound.committed()
    assert at_connection.told == []


def test_a_connection_that_nobody_speaks_for_is_never_told(at_connection: Desk) -> None:
    with at_connection.transaction() as transaction:
        at_connection.within(transaction).issue("ann", method="password")
        transaction.commit()
    with at_connection.transaction() as transaction:
        other = at_connection.within(transaction)
        transaction.commit()
        other.committed()
    assert at_connection.told == []
    assert at_connection.witness.count() == 1


def test_a_sign_in_can_be_denied_inside(any_desk: Desk) -> None:
    asked = []

    class Doorman:
        @hookimpl
        def session_issuing(self, session: Any) -> None:
            asked.append(session.user_id)
            if session.user_id == "mallory":
                raise PermissionError

    place = any_desk.place
    guarded = place.open(any_desk.face, plugins=[Doorman()])
    with any_desk.transaction() as transaction:
        bound = place.within(guarded, transaction)
        bound.issue("ann", method="password")
        with pytest.raises(IssueDenied):
            bound.issue("mallory", method="password")
        assert asked == ["ann", "mallory"], "before the commit"
        transaction.commit()
    assert [session.user_id for session in any_desk.witness.find()] == ["ann"]


@pytest.mark.parametrize("way", WAYS)
def test_asynchronous_observers_are_told_at_committed(
    place: Place, async_face: str, way: str
) -> None:
    told: list[tuple[str, str]] = []

    class Awaited:
        @hookimpl
        async def session_issued(self, session: Any) -> None:
            await asyncio.sleep(0)
            told.append(("awaited", session.user_id))

    class Called:
        @hookimpl
        def session_issued(self, session: Any) -> None:
            told.append(("called", session.user_id))

    engine = new_engine(place, async_face, place.database)

    async def scenario() -> None:
        sessions = place.manager(async_face, plugins=[Awaited(), Called()])
        async with sessions, _begun(engine, way) as transaction:
            bound = sessions.within(transaction)
            await bound.issue("lost", method="password")
            await transaction.rollback()
            if way == "connection":
                await transaction.begin()
                bound = sessions.within(transaction)
            await bound.issue("ann", method="password")
            await transaction.commit()
            assert told == ([("called", "ann")] if way == "session" else [])
            await bound.committed()
            assert sorted(told) == [("awaited", "ann"), ("called", "ann")]
            await bound.committed()
            assert len(told) == 2

    place.runner.run(scenario())


def _begun(engine: Any, way: str) -> Any:
    return AsyncSession(engine) if way == "session" else engine.connect()
