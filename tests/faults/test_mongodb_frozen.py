"""A frozen mongod takes connections and never answers: every call ends when it must."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from coatcheck import AsyncSessionManager, BackendError, BackendUnavailable, OutcomeUnknown
from mongodb_places import FACES, PEPPER, Place
from servers import MongoServer
from sqlite_files import failing, reads_of, twenty_operations, within, writes_of

DEADLINE = timedelta(seconds=0.6)
CLOSING = 1.5
"""Seconds that a close may take."""


@pytest.fixture
def server() -> Iterator[MongoServer]:
    with MongoServer() as server:
        yield server


@pytest.fixture
def place(server: MongoServer) -> Iterator[Place]:
    place = Place(f"{server.url}frozen")
    yield place
    server.thaw()
    place.close()


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> str:
    return request.param


def test_every_call_ends_at_its_deadline_and_all_is_well_after_the_thaw(
    server: MongoServer, place: Place, face: str
) -> None:
    sessions = place.open(face, deadline=DEADLINE)
    issued = sessions.issue("ann", method="password")
    server.freeze()
    calls: dict[str, Callable[[], object]] = {
        **reads_of(sessions, issued.session.id, issued.token),
        **writes_of(sessions, issued.session.id),
    }
    reads = reads_of(sessions, issued.session.id, issued.token)
    for name, call in calls.items():
        expected = BackendUnavailable if name in reads else (OutcomeUnknown, BackendUnavailable)
        with failing(expected, DEADLINE):
            call()
    server.thaw()
    twenty_operations(sessions)


def test_a_manager_that_is_opened_then_says_so_in_time(
    server: MongoServer, place: Place, face: str
) -> None:
    place.open().close()
    server.freeze()
    with failing(BackendError, DEADLINE):
        place.open(face, deadline=DEADLINE)


def test_a_frozen_server_keeps_no_manager_from_closing(
    server: MongoServer, place: Place, face: str
) -> None:
    sessions = place.open(face, deadline=DEADLINE)
    sessions.issue("ann", method="password")
    server.freeze()
    with within(CLOSING):
        sessions.close()
    with within(0.1):
        sessions.close()


def test_many_threads_are_all_told_in_time(server: MongoServer, place: Place) -> None:
    sessions = place.open("sync", {"maxPoolSize": "2"}, deadline=DEADLINE)
    token = sessions.issue("ann", method="password").token
    server.freeze()
    failures: list[BackendError] = []

    def validate() -> None:
        try:
            sessions.validate(token)
        except BackendError as error:
            failures.append(error)

    threads = [threading.Thread(target=validate) for _ in range(16)]
    with within(1.4):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [type(failure) for failure in failures] == [BackendUnavailable] * 16
    server.thaw()
    assert sessions.validate(token)


def test_a_cancelled_call_leaves_the_client_whole(server: MongoServer, place: Place) -> None:
    async def run() -> None:
        async with AsyncSessionManager.open(place.url, pepper=PEPPER) as sessions:
            token = (await sessions.issue("ann", method="password")).token
            for round_ in range(12):
                server.freeze()
                tasks = [asyncio.create_task(sessions.validate(token)) for _ in range(4)]
                tasks.append(asyncio.create_task(sessions.issue("bob", method="password")))
                await asyncio.sleep(0.005 * round_)
                for task in tasks:
                    task.cancel()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
                assert all(isinstance(each, asyncio.CancelledError) for each in ended), ended
                server.thaw()
                answers = await asyncio.gather(*[sessions.validate(token) for _ in range(10)])
                assert all(answers)

    asyncio.run(run())


def test_nobody_there_is_said_in_time(server: MongoServer, place: Place, face: str) -> None:
    sessions: Any = place.open(face, deadline=DEADLINE)
    issued = sessions.issue("ann", method="password")
    server.kill()
    for call in reads_of(sessions, issued.session.id, issued.token).values():
        with failing(BackendUnavailable, DEADLINE):
            call()
    for call in writes_of(sessions, issued.session.id).values():
        with failing((BackendUnavailable, OutcomeUnknown), DEADLINE):
            call()
    server.start()
    # The driver looks for a lost server twice a second, which is nearly all that a call has here.
    with within(5):
        while not found_again(sessions, issued.token):
            pass
    twenty_operations(sessions)


def found_again(sessions: Any, token: str) -> bool:
    try:
        return bool(sessions.validate(token))
    except BackendUnavailable:
        return False
