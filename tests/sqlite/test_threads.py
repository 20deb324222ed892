"""Thirty-two threads on one manager: every call ends, and every answer is the caller's own."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from coatcheck import AsyncSessionManager, BackendError, Rejection, Session
from sqlite_files import PEPPER, Place, twenty_operations
from threads_at_once import THREADS, all_at_once


def test_each_thread_gets_its_own_users_session(place: Place) -> None:
    sessions = place.open()
    issued = [sessions.issue(f"user {n}", method="password") for n in range(THREADS)]

    def work(n: int) -> bool:
        return all(sessions.validate(issued[n].token).user_id == f"user {n}" for _ in range(50))

    assert all(all_at_once(work))


def test_threads_that_write_all_succeed(place: Place) -> None:
    sessions = place.open()

    def work(n: int) -> list[str]:
        return [sessions.issue(f"user {n}", method="password").token for _ in range(10)]

    tokens = [token for each in all_at_once(work) for token in each]
    assert sessions.count() == len(set(tokens)) == 10 * THREADS
    assert all(map(place.open().validate, tokens))


def test_of_all_that_revoke_one_session_one_is_told_that_it_did(place: Place) -> None:
    sessions, other = place.open(), place.open()
    for _ in range(10):
        session_id = sessions.issue("ann", method="password").session.id
        told = all_at_once(lambda n, i=session_id: (sessions, other)[n % 2].revoke(i), 8)
        assert sorted(told) == [False] * 7 + [True]


def test_any_mix_of_calls_on_four_sessions_ends_and_raises_nothing_odd(place: Place) -> None:
    sessions = place.open()
    issued = [sessions.issue(f"user {n % 2}", method="password") for n in range(4)]

    def work(n: int) -> bool:
        chance = random.Random(n)
        for _ in range(40):
            each = issued[chance.randrange(4)]
            match chance.randrange(8):
                case 0:
                    assert isinstance(sessions.validate(each.token), Session | Rejection)
                case 1:
                    sessions.update(each.session.id, scopes={str(n)})
                case 2:
                    sessions.revoke(each.session.id)
                case 3:
                    found = sessions.get(each.session.id)
                    assert found is None or found.user_id == each.session.user_id
                case 4:
                    sessions.update_all(user_id="user 0", metadata={"n": n})
                case 5:
                    sessions.revoke_all(user_id="user 1", keep={each.session.id})
                case 6:
                    assert len(sessions.find()) <= 4
                case 7:
                    assert sessions.purge() == 0
        return True

    assert all(all_at_once(work))
    twenty_operations(sessions)


def test_more_threads_than_idle_connections_are_kept(place: Place) -> None:
    sessions = place.open(query="?pool_size=1")
    token = sessions.issue("ann", method="password").token
    assert all(all_at_once(lambda _: all(sessions.validate(token) for _ in range(20))))
    sessions.close()
    assert open_descriptors(place.path) == 0


def open_descriptors(path: Path) -> int:
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum(str(link.resolve()).startswith(str(path)) for link in links)


def test_a_manager_that_is_closed_while_others_call_it_ends_every_call(place: Place) -> None:
    sessions = place.open()
    token = sessions.issue("ann", method="password").token
    answers: list[Any] = []

    def work(n: int) -> None:
        if n == 0:
            sessions.close()
            return
        for _ in range(20):
            try:
                answers.append(bool(sessions.validate(token)))
            except Exception as error:  # noqa: BLE001 - looked at below
                answers.append(type(error).__name__)

    all_at_once(work, 8)
    assert set(answers) <= {True, "ManagerClosed", "BackendUnavailable"}
    assert open_descriptors(place.path) == 0


@pytest.mark.parametrize("tasks", [200])
def test_tasks_of_one_loop_all_succeed(place: Place, tasks: int) -> None:
    async def one(sessions: AsyncSessionManager, n: int) -> bool:
        try:
            issued = await sessions.issue(f"user {n}", method="password")
        except BackendError as error:
            raise AssertionError(f"{error}") from error
        session = await sessions.validate(issued.token)
        assert session.user_id == f"user {n}"
        assert (await sessions.update(session.id, scopes={str(n)})).scopes == {str(n)}
        return await sessions.revoke(session.id)

    async def scenario() -> None:
        async with AsyncSessionManager.open(place.url, pepper=PEPPER) as sessions:
            assert all(await asyncio.gather(*[one(sessions, n) for n in range(tasks)]))
            assert await sessions.count() == 0

    asyncio.run(scenario())
