"""A warm manager is forked: parent and child both go on, each on connections of its own."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import threading
import warnings
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from children import Child, guard_connections, in_child
from coatcheck import AsyncSessionManager, BackendUnavailable, SessionManager
from coatcheck_backends.sqlite import connections
from sqlite_files import PEPPER, Place, twenty_operations


def files_open(path: Path) -> list[str]:
    """What of the database this process has open."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            target = os.readlink(descriptor)
        except FileNotFoundError:
            continue
        if target.startswith(str(path)):
            found.append(target)
    return found


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    return guard_connections(monkeypatch)


def test_the_guard_sees_a_connection_that_is_used_in_a_child(
    place: Place, opened: list[int]
) -> None:
    place.open().close()
    connection = connections.connect(str(place.path))
    assert connection.execute("SELECT 1").fetchall() == [(1,)]
    with pytest.raises(AssertionError, match="of another process"):
        in_child(lambda: connection.execute("SELECT 1"))
    connection.close()


def test_child_and_parent_see_each_others_changes_at_once(place: Place, opened: list[int]) -> None:
    sessions = place.open()
    issued = sessions.issue("ann", method="password")
    assert sessions.validate(issued.token)
    answers = os.pipe(), os.pipe()

    def child() -> Any:
        assert files_open(place.path) == [], "no connection came along"
        assert sessions.validate(issued.token).user_id == "ann"
        assert sessions.update(issued.session.id, scopes={"child"})
        os.write(answers[0][1], b"updated")
        os.read(answers[1][0], 10)
        assert sessions.validate(issued.token).reason == "unknown"
        new = sessions.issue("bob", method="password")
        twenty_operations(sessions)
        return new.token, set(opened) - {os.getppid()}

    forked = Child(child)
    assert os.read(answers[0][0], 10) == b"updated"
    assert sessions.validate(issued.token).scopes == {"child"}
    assert sessions.revoke(issued.session.id)
    os.write(answers[1][1], b"revoked")
    token, own = forked.answer()
    assert own == {forked.pid}
    assert sessions.validate(token).user_id == "bob"
    twenty_operations(sessions)
    for pipe in answers:
        for end in pipe:
            os.close(end)


def test_what_a_child_wrote_outlives_it_and_what_the_parent_wrote_outlives_the_child(
    place: Place, opened: list[int]
) -> None:
    sessions = place.open()
    tokens = []
    for n in range(5):
        tokens.append(sessions.issue(f"parent {n}", method="password").token)
        tokens.append(in_child(lambda n=n: sessions.issue(f"child {n}", method="password").token))
        gone = sessions.issue("gone", method="password")
        assert in_child(lambda gone=gone: sessions.revoke(gone.session.id))
        assert not sessions.validate(gone.token)
        assert all(map(sessions.validate, tokens))
    sessions.close()
    assert all(map(place.open().validate, tokens))


def test_grandchildren_work_too_and_a_child_may_close(place: Place, opened: list[int]) -> None:
    sessions = place.open()
    token = sessions.issue("ann", method="password").token

    def child() -> str:
        assert sessions.validate(token)
        grandchild = in_child(lambda: sessions.validate(token).user_id)
        sessions.close()
        return grandchild

    assert in_child(child) == "ann"
    assert sessions.validate(token)
    twenty_operations(sessions)


def _validated(sessions: SessionManager, token: str, answers: Any) -> None:
    answers.put(sessions.validate(token).user_id)
    twenty_operations(sessions)


def test_the_fork_of_multiprocessing_is_a_fork(place: Place, opened: list[int]) -> None:
    sessions = place.open()
    issued = [sessions.issue(f"user {n}", method="password") for n in range(4)]
    fork = multiprocessing.get_context("fork")
    answers = fork.SimpleQueue()
    processes = [fork.Process(target=_validated, args=(sessions, i.token, answers)) for i in issued]
    for process in processes:
        process.start()
    assert {answers.get() for _ in issued} == {f"user {n}" for n in range(4)}
    for process in processes:
        process.join()
        assert process.exitcode == 0
        process.close()
    twenty_operations(sessions)


def test_a_parent_whose_threads_are_busy_can_fork(place: Place, opened: list[int]) -> None:
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
            # The wrong user here is what a shared connection leads to.
            assert sessions.validate(each.token).user_id == f"user {n % 8}"
        twenty_operations(sessions)
        return len(errors)

    threads = [threading.Thread(target=busy, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            children = [Child(child) for _ in range(3)]
            for forked in children:
                assert forked.answer() == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert errors == []
    twenty_operations(sessions)


def test_an_asynchronous_manager_goes_on_in_a_child_on_another_loop(
    place: Place, opened: list[int]
) -> None:
    async def warm(sessions: AsyncSessionManager) -> list[str]:
        issued = [await sessions.issue(f"user {n}", method="password") for n in range(10)]
        assert all(await asyncio.gather(*[sessions.validate(each.token) for each in issued]))
        return [each.token for each in issued]

    async def check(sessions: AsyncSessionManager, tokens: list[str]) -> list[str]:
        answers = await asyncio.gather(*[sessions.validate(token) for token in tokens])
        assert await sessions.revoke((await sessions.issue("new", method="password")).session.id)
        return [answer.user_id for answer in answers]

    sessions = AsyncSessionManager.open(place.url, pepper=PEPPER)
    place.runner.run(sessions.start())
    tokens = place.runner.run(warm(sessions))
    users = [f"user {n}" for n in range(10)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for _ in range(3):
            assert in_child(lambda: asyncio.run(check(sessions, tokens))) == users
            assert place.runner.run(check(sessions, tokens)) == users
    place.runner.run(sessions.close())


def test_a_store_in_memory_stays_with_the_parent_and_the_child_is_told() -> None:
    with SessionManager.open("sqlite://", pepper=PEPPER) as sessions:
        token = sessions.issue("ann", method="password").token

        def child() -> None:
            for call in (sessions.count, sessions.ping, sessions.purge):
                with pytest.raises(BackendUnavailable, match="fork"):
                    call()
            with pytest.raises(BackendUnavailable):
                sessions.validate(token)

        in_child(child)
        assert sessions.validate(token)


def test_a_database_that_is_locked_at_the_fork_holds_the_fork_up_only_shortly(
    place: Place,
) -> None:
    sessions = place.open(deadline=timedelta(seconds=20))
    token = sessions.issue("ann", method="password").token
    worker = place.worker()
    worker.ask("lock", how="IMMEDIATE")
    waiting = threading.Thread(target=sessions.issue, args=("bob",), kwargs={"method": "password"})
    waiting.start()
    began = monotonic()
    assert in_child(lambda: sessions.validate(token).user_id) == "ann"
    assert monotonic() - began < 3
    worker.ask("unlock")
    waiting.join(20)
    assert sessions.count() == 2
    twenty_operations(sessions)
