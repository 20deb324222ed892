"""A server that does not answer any more: every call ends in time, and all is well afterwards."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from time import monotonic, sleep
from typing import Any

import pytest

from coatcheck import BackendUnavailable, OutcomeUnknown
from postgresql_desks import Desk
from postgresql_places import Place
from servers import PostgresServer
from sqlite_files import failing, reads_of, twenty_operations, writes_of
from transactions import WAYS

DEADLINE = timedelta(seconds=0.5)


@pytest.fixture
def frozen(own_server: PostgresServer) -> Iterator[Callable[[], None]]:
    """Freezes the server; at the end of the test it goes on in any case."""
    yield own_server.freeze
    own_server.thaw()


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """No thread of the test's is there a few seconds later."""
    before = set(threading.enumerate())
    yield
    until = monotonic() + 5
    while set(threading.enumerate()) - before:
        assert monotonic() < until, set(threading.enumerate()) - before
        sleep(0.01)


def hasty(place: Place, face: str, *options: dict[str, str]) -> Any:
    """A manager with the short deadline. A busy machine may need a second try to open it."""
    for _ in range(4):
        with suppress(BackendUnavailable, OutcomeUnknown):
            return place.open(face, *options, deadline=DEADLINE)
    return place.open(face, *options, deadline=DEADLINE)


def test_every_call_ends_in_time_on_a_frozen_server_and_all_is_well_after_it(
    own_place: Place, own_server: PostgresServer, face: str, frozen: Callable[[], None]
) -> None:
    sessions = hasty(own_place, face)
    issued = sessions.issue("ann", method="password")
    session_id = issued.session.id
    reads, writes = reads_of(sessions, session_id, issued.token), writes_of(sessions, session_id)
    frozen()
    for name in ("validate", "find", "ping"):
        with failing(BackendUnavailable, DEADLINE) as raised:
            reads[name]()
        assert type(raised.value) is BackendUnavailable
    for name in ("issue", "update", "revoke_all"):
        with failing((BackendUnavailable, OutcomeUnknown), DEADLINE):
            writes[name]()
    own_server.thaw()
    twenty_operations(sessions)
    if face != "psycopg":
        assert own_place.runner.run(_tasks()) == 1, "the one that counts"


async def _tasks() -> int:
    return len(asyncio.all_tasks())


def test_a_write_that_was_sent_is_unknown(
    own_place: Place, own_server: PostgresServer, face: str, frozen: Callable[[], None]
) -> None:
    sessions = hasty(own_place, face)
    issued = sessions.issue("ann", method="password")
    sessions.update(issued.session.id, scopes={"warm"})
    frozen()
    with failing(OutcomeUnknown, DEADLINE):
        sessions.update(issued.session.id, scopes={"sent"})
    own_server.thaw()
    assert sessions.validate(issued.token).scopes in ({"sent"}, {"warm"})


def test_opening_and_closing_end_in_time(
    own_place: Place, own_server: PostgresServer, face: str, frozen: Callable[[], None]
) -> None:
    sessions = hasty(own_place, face)
    sessions.ping()
    frozen()
    with failing((BackendUnavailable, OutcomeUnknown), DEADLINE):
        own_place.open(face, deadline=DEADLINE)
    began = monotonic()
    sessions.close()
    assert monotonic() - began < 0.5
    own_server.thaw()
    twenty_operations(own_place.open(face))


@pytest.mark.parametrize("way", WAYS)
def test_a_call_inside_a_transaction_ends_in_time(
    own_place: Place, own_server: PostgresServer, face: str, way: str, frozen: Callable[[], None]
) -> None:
    desk = Desk(own_place, face, way)
    sessions = hasty(own_place, face)
    with desk.transaction() as transaction:
        bound = own_place.within(sessions, transaction)
        bound.issue("ann", method="password")
        frozen()
        with failing(BackendUnavailable, DEADLINE):
            bound.count()
        own_server.thaw()
        if way == "session":
            transaction.rollback()
    assert desk.witness.count() == 0
    with desk.transaction() as transaction:
        own_place.within(sessions, transaction).issue("bob", method="password")
        transaction.commit()
    assert desk.witness.count() == 1


def test_many_callers_end_in_time_together(
    own_place: Place, own_server: PostgresServer, frozen: Callable[[], None]
) -> None:
    sessions = hasty(own_place, "psycopg", {"pool_size": "4"})
    issued = sessions.issue("ann", method="password")
    answers: list[Any] = []

    def call() -> None:
        try:
            sessions.get(issued.session.id)
        except Exception as error:  # noqa: BLE001 - looked at below
            answers.append(type(error))

    frozen()
    with failing(BackendUnavailable, DEADLINE):
        threads = [threading.Thread(target=call) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        raise answers[0]("all of them ended")
    assert answers == [BackendUnavailable] * 16
    own_server.thaw()
    twenty_operations(sessions)
