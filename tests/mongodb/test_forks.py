"""A warm manager is forked: parent and child both go on, each with a client of its own."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import threading
import warnings
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from children import Child, in_child
from coatcheck import AsyncSessionManager, SessionManager
from mongodb_places import PEPPER, Place
from sqlite_files import twenty_operations


def sockets_open() -> set[str]:
    """The sockets that this process has open."""
    found = set[str]()
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            target = os.readlink(descriptor)
        except FileNotFoundError:
            continue
        if target.startswith("socket:"):
            found.add(target)
    return found


def test_child_and_parent_see_each_others_changes_and_share_no_connection(place: Place) -> None:
    sessions = place.open()
    issued = sessions.issue("ann", method="password")
    assert sessions.validate(issued.token)
    parents = sessions._core.backend.implementation._own.client

    def child() -> Any:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            assert sessions.validate(issued.token).user_id == "ann"
            own = sessions._core.backend.implementation._own.client
            assert own is not parents
            assert sessions.revoke(issued.session.id)
            twenty_operations(sessions)
            sessions.close()
            gc.collect()
        return [str(each.message) for each in warned if "pymongo" in str(each.filename).lower()
                or "Mongo" in str(each.message)]  # fmt: skip

    assert in_child(child) == []
    assert sessions.validate(issued.token).reason == "unknown"
    twenty_operations(sessions)
    assert sessions._core.backend.implementation._own.client is parents


def test_a_child_that_does_nothing_ends_without_a_word(place: Place, capfd: Any) -> None:
    sessions = place.open()
    sessions.issue("ann", method="password")

    def child() -> int:
        warnings.simplefilter("always")
        gc.collect()
        return len(sockets_open())

    in_child(child)
    twenty_operations(sessions)
    assert "Mongo" not in "".join(capfd.readouterr())


def test_grandchildren_work_too_and_a_child_may_close(place: Place) -> None:
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


def test_the_fork_of_multiprocessing_is_a_fork(place: Place) -> None:
    sessions = place.open()
    token = sessions.issue("ann", method="password").token
    context = multiprocessing.get_context("fork")
    answers: Any = context.SimpleQueue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        workers = [
            context.Process(target=_validated, args=(sessions, token, answers)) for _ in range(4)
        ]
        for worker in workers:
            worker.start()
    for worker in workers:
        worker.join(20)
        assert worker.exitcode == 0
    assert [answers.get() for _ in workers] == ["ann"] * 4
    twenty_operations(sessions)


def test_a_fork_while_other_threads_are_at_work_gives_whole_children(place: Place) -> None:
    sessions = place.open()
    token = sessions.issue("ann", method="password").token
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            assert sessions.validate(token)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        children = [Child(lambda: sessions.validate(token).user_id) for _ in range(8)]
        began = monotonic()
        assert [child.answer() for child in children] == ["ann"] * 8
        assert monotonic() - began < 15
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    twenty_operations(sessions)


def test_an_asynchronous_manager_is_forked_too(place: Place) -> None:
    async def parent() -> None:
        async with AsyncSessionManager.open(place.url, pepper=PEPPER) as sessions:
            issued = await sessions.issue("ann", method="password")
            parents = sessions._core.backend.implementation._own.client

            async def in_the_child() -> Any:
                session = await sessions.validate(issued.token)
                own = sessions._core.backend.implementation._own.client
                await sessions.close()
                return session and session.user_id, own is not parents

            def child() -> Any:
                # The loop of the parent is not the child's to run.
                asyncio._set_running_loop(None)
                with warnings.catch_warnings(record=True) as warned:
                    warnings.simplefilter("always")
                    answer = asyncio.run(in_the_child())
                    gc.collect()
                return answer, [
                    str(each.message) for each in warned if "Mongo" in str(each.message)
                ]

            assert in_child(child) == (("ann", True), [])
            assert await sessions.validate(issued.token)
            assert await sessions.revoke(issued.session.id)

    asyncio.run(parent())


@pytest.mark.parametrize("rounds", [3])
def test_the_interpreter_of_a_child_ends_without_a_warning(place: Place, rounds: int) -> None:
    import subprocess
    import sys

    code = f"""
import os, sys
from coatcheck import SessionManager
sessions = SessionManager.open({place.url!r}, pepper={PEPPER!r})
token = sessions.issue("ann", method="password").token
for _ in range({rounds}):
    pid = os.fork()
    if pid == 0:
        assert sessions.validate(token)
        sessions.close()
        sys.exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
assert sessions.validate(token)
sessions.close()
"""
    command = [sys.executable, "-W", "default", "-W", "ignore::DeprecationWarning", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
