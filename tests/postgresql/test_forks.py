"""A warm manager is forked: parent and child both go on, each on connections of its own."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import threading
import warnings
from contextlib import suppress
from time import monotonic, sleep
from typing import Any

import psycopg

from children import Child, in_child
from coatcheck import SessionManager
from postgresql_places import PEPPER, Place
from sqlite_files import twenty_operations

USERS = 32


def test_parent_and_child_read_at_once_and_each_gets_its_own_rows(place: Place) -> None:
    sessions = place.open()
    issued = [sessions.issue(f"user {n}", method="password") for n in range(USERS)]

    def read() -> int:
        for _ in range(10):
            for n, each in enumerate(issued):
                # The wrong user here is what a shared connection leads to.
                assert sessions.validate(each.token).user_id == f"user {n}"
        return os.getpid()

    children = [Child(read) for _ in range(2)]
    read()
    assert {child.answer() for child in children} == {child.pid for child in children}
    twenty_operations(sessions)


def test_a_child_makes_connections_of_its_own_and_its_end_cuts_none_of_the_parents(
    place: Place,
) -> None:
    sessions = place.open()
    token = sessions.issue("ann", method="password").token
    before = place.connections_of_ours()
    assert len(before) == 1

    def child() -> list[int]:
        assert sessions.validate(token)
        with psycopg.connect(place.database, autocommit=True) as looking:
            query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'coatcheck'"
            here = f"{query} AND datname = current_database()"
            found = [pid for (pid,) in looking.execute(here).fetchall()]  # type: ignore[call-overload]
        sessions.close()
        return found

    during = in_child(child)
    assert len(during) == 2
    assert set(before) < set(during)
    assert sessions.validate(token)
    assert place.connections_of_ours() == before, "the parent goes on with what it had"


def test_the_server_sees_the_end_of_a_parent_whose_child_lives_on(place: Place) -> None:
    """The child holds no copy of the socket, which would keep the connection up."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        parent = os.fork()
    if parent == 0:
        with suppress(BaseException):
            SessionManager.open(place.url, pepper=PEPPER).ping()
            if os.fork() == 0:
                os.read(reading, 1)  # until the test is over
        os._exit(0)  # nothing is closed, as when a process is killed
    os.waitpid(parent, 0)
    until = monotonic() + 5
    while place.connections_of_ours():
        assert monotonic() < until, "the server still has the connection of a dead process"
        sleep(0.01)
    os.write(writing, b"!")
    os.close(reading)
    os.close(writing)


def test_what_is_written_in_a_child_is_seen_by_the_parent_and_the_reverse(place: Place) -> None:
    sessions = place.open()
    for n in range(3):
        token = in_child(lambda n=n: sessions.issue(f"child {n}", method="password").token)
        assert sessions.validate(token).user_id == f"child {n}"
        gone = sessions.issue("gone", method="password")
        assert in_child(lambda gone=gone: sessions.revoke(gone.session.id))
        assert sessions.validate(gone.token).reason == "unknown"


def test_grandchildren_work_too_and_a_child_may_close(place: Place) -> None:
    sessions = place.open()
    token = sessions.issue("ann", method="password").token

    def child() -> str:
        assert sessions.validate(token)
        grandchild = in_child(lambda: sessions.validate(token).user_id)
        sessions.close()
        return grandchild

    assert in_child(child) == "ann"
    twenty_operations(sessions)


def _validated(sessions: SessionManager, token: str, answers: Any) -> None:
    answers.put(sessions.validate(token).user_id)
    twenty_operations(sessions)


def test_the_fork_of_multiprocessing_is_a_fork(place: Place) -> None:
    sessions = place.open()
    issued = [sessions.issue(f"user {n}", method="password") for n in range(4)]
    fork = multiprocessing.get_context("fork")
    answers = fork.SimpleQueue()
    processes = [fork.Process(target=_validated, args=(sessions, i.token, answers)) for i in issued]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for process in processes:
            process.start()
    assert {answers.get() for _ in issued} == {f"user {n}" for n in range(4)}
    for process in processes:
        process.join()
        assert process.exitcode == 0
        process.close()
    twenty_operations(sessions)


def test_a_parent_whose_threads_are_busy_can_fork(place: Place) -> None:
    sessions = place.open()
    issued = [sessions.issue(f"user {n}", method="password") for n in range(8)]
    stop = threading.Event()
    errors: list[BaseException] = []

    def busy(n: int) -> None:
        try:
            while not stop.is_set():
                assert sessions.validate(issued[n].token).user_id == f"user {n}"
                if n == 0:
                    sessions.update(issued[0].session.id, scopes={"busy"})
        except BaseException as error:  # noqa: BLE001 - for the test to raise
            errors.append(error)

    def child() -> int:
        for n, each in enumerate(issued * 5):
            assert sessions.validate(each.token).user_id == f"user {n % 8}"
        twenty_operations(sessions)
        return len(errors)

    threads = [threading.Thread(target=busy, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            children = [Child(child) for _ in range(2)]
            assert [forked.answer() for forked in children] == [0, 0]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert errors == []
    twenty_operations(sessions)


def test_an_asynchronous_manager_goes_on_in_a_child_on_another_loop(
    place: Place, async_face: str
) -> None:
    sessions = place.manager(async_face)
    run = place.runner.run

    async def warm() -> list[str]:
        await sessions.start()
        issued = [await sessions.issue(f"user {n}", method="password") for n in range(10)]
        assert all(await asyncio.gather(*[sessions.validate(each.token) for each in issued]))
        return [each.token for each in issued]

    async def check() -> list[str]:
        answers = await asyncio.gather(*[sessions.validate(token) for token in tokens])
        assert await sessions.revoke((await sessions.issue("new", method="password")).session.id)
        return [answer.user_id for answer in answers if answer]

    tokens = run(warm())
    before = set(place.connections_of_ours())
    users = [f"user {n}" for n in range(10)]
    for _ in range(2):
        assert in_child(lambda: asyncio.run(check())) == users
        assert run(check()) == users
    assert set(place.connections_of_ours()) & before, "the parent's are whole"
    run(sessions.close())
