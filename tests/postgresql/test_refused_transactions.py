"""What `within` refuses, and what it says is wanted instead."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlalchemy.orm import Session as OrmSession
from sqlalchemy.orm import sessionmaker

from coatcheck import InvalidInput, ManagerClosed
from postgresql_desks import Desk, new_engine
from postgresql_places import FACES, Place
from servers import PostgresServer
from shared_servers import on_database, postgresql_database
from transactions import WAYS


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def desk(place: Place, face: str, way: str) -> Desk:
    return Desk(place, face, way)


def test_a_closed_manager_works_inside_no_transaction(desk: Desk) -> None:
    with desk.transaction() as transaction:
        bound = desk.within(transaction)
        bound.issue("ann", method="password")
        desk.sessions.close()
        with pytest.raises(ManagerClosed):
            bound.count()


def test_a_transaction_that_is_over_is_refused(desk: Desk) -> None:
    with desk.transaction() as transaction:
        bound = desk.within(transaction)
        bound.issue("ann", method="password")
        transaction.commit()
    if desk.way == "session":
        # A session that was closed begins anew when it is used, by SQLAlchemy's own rule.
        assert bound.count() == 1
        transaction.close()
        return
    with pytest.raises(InvalidInput, match="transaction"):
        desk.within(transaction).count()
    with pytest.raises(InvalidInput, match="transaction"):
        bound.count()


@pytest.mark.parametrize("what", [None, 7, "transaction", object(), "engine", "factory", "raw"])
def test_what_is_no_transaction_is_refused_and_what_is_wanted_is_said(
    desk: Desk, what: Any
) -> None:
    if what == "engine":
        what = desk.engine
    elif what == "factory":
        what = (sessionmaker if desk.face == "psycopg" else async_sessionmaker)(desk.engine)
    elif what == "raw":
        what = desk.place.connect()
    wanted = (
        "AsyncConnection or AsyncSession" if desk.face != "psycopg" else "Connection or Session"
    )
    with pytest.raises(InvalidInput, match=f"transaction: pass a SQLAlchemy {wanted}"):
        desk.within(what)


def test_a_transaction_of_the_other_kind_is_refused_and_what_is_wanted_is_said(
    place: Place, face: str, way: str
) -> None:
    sessions = place.open(face)
    other = Desk(place, "async psycopg" if face == "psycopg" else "psycopg", way)
    with (
        other.transaction() as transaction,
        pytest.raises(InvalidInput, match=r"pass a .*(Connection|Session)"),
    ):
        place.within(sessions, transaction).count()


def test_a_transaction_of_another_database_is_refused(desk: Desk) -> None:
    with postgresql_database(desk.place.database) as url:
        desk.engine = new_engine(desk.place, desk.face, url)
        with (
            desk.transaction() as transaction,
            pytest.raises(InvalidInput, match="another database"),
        ):
            desk.within(transaction).count()


def test_a_transaction_of_another_kind_of_database_is_refused(place: Place, way: str) -> None:
    desk = Desk(place, "psycopg", way)
    desk.engine = create_engine("sqlite://")
    with desk.transaction() as transaction, pytest.raises(InvalidInput, match="psycopg"):
        desk.within(transaction)
    desk.engine.dispose()


def test_a_transaction_of_another_server_is_refused(
    place: Place, own_server: PostgresServer
) -> None:
    """Even of a database with the same name."""
    name = place.database.rpartition("/")[2].partition("?")[0]
    with psycopg.connect(own_server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
    for face in FACES:
        for way in WAYS:
            desk = Desk(place, face, way)
            desk.engine = new_engine(place, face, on_database(own_server.url, name))
            with (
                desk.transaction() as transaction,
                pytest.raises(InvalidInput, match="another database"),
            ):
                desk.within(transaction).count()
            place.sql("DROP TABLE note")


def test_an_engine_that_commits_each_statement_is_refused(desk: Desk) -> None:
    desk.engine = desk.new_engine(isolation_level="AUTOCOMMIT")
    with (
        desk.transaction() as transaction,
        pytest.raises(InvalidInput, match="commits each statement"),
    ):
        desk.within(transaction).issue("ann", method="password")
    assert desk.witness.count() == 0


def test_a_synchronous_session_under_an_asynchronous_application_is_refused(
    place: Place, async_face: str
) -> None:
    sessions = place.open(async_face)
    engine = new_engine(place, "psycopg", place.database)
    with OrmSession(engine) as session, pytest.raises(InvalidInput, match="AsyncSession"):
        place.within(sessions, session)
