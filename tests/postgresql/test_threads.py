"""Thirty-two threads, or tasks, on one manager: every call ends, each with its own answer."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

from coatcheck import (
    AsyncSessionManager,
)
from postgresql_places import Place
from sqlite_files import twenty_operations
from threads_at_once import THREADS, all_at_once, until


def test_each_thread_gets_its_own_users_session(place: Place) -> None:
    sessions = place.open()
    issued = [sessions.issue(f"user {n}", method="password") for n in range(THREADS)]

    def work(n: int) -> bool:
        return all(sessions.validate(issued[n].token).user_id == f"user {n}" for _ in range(20))

    assert all(all_at_once(work))
    assert 1 <= len(place.connections_of_ours()) <= 16


def test_any_mix_of_calls_of_threads_on_four_sessions_ends(place: Place) -> None:
    sessions = place.open("psycopg", {"pool_size": "4"})
    issued = [sessions.issue(f"user {n % 2}", method="password") for n in range(4)]

    def work(n: int) -> bool:
        chance = random.Random(n)
        for _ in range(10):
            each = issued[chance.randrange(4)]
            calls = _mixed(sessions, each, n)
            calls[chance.randrange(len(calls))]()
        return True

    assert all(all_at_once(work))
    twenty_operations(sessions)


def _mixed(sessions: Any, each: Any, n: int) -> list[Callable[[], Any]]:
    return [
        lambda: sessions.validate(each.token),
        lambda: sessions.update(each.session.id, scopes={str(n)}),
        lambda: sessions.revoke(each.session.id),
        lambda: sessions.get(each.session.id),
        lambda: sessions.update_all(user_id="user 0", metadata={"n": n}),
        lambda: sessions.revoke_all(user_id="user 1", keep={each.session.id}),
        sessions.find,
        sessions.purge,
    ]


def test_any_mix_of_calls_of_tasks_on_four_sessions_ends(place: Place, async_face: str) -> None:
    async def work(sessions: AsyncSessionManager, issued: list[Any], n: int) -> None:
        chance = random.Random(n)
        for _ in range(10):
            each = issued[chance.randrange(4)]
            calls = _mixed(sessions, each, n)
            await calls[chance.randrange(len(calls))]()

    async def scenario() -> None:
        async with place.manager(async_face, {"pool_size": "4"}) as sessions:
            issued = [await sessions.issue(f"user {n % 2}", method="password") for n in range(4)]
            await asyncio.gather(*[work(sessions, issued, n) for n in range(THREADS)])

    asyncio.run(scenario())
    until(lambda: place.connections_of_ours() == [])


def test_of_all_that_revoke_one_session_one_is_told_that_it_did(place: Place) -> None:
    sessions, other = place.open(), place.open()
    for _ in range(3):
        session_id = sessions.issue("ann", method="password").session.id
        told = all_at_once(lambda n, i=session_id: (sessions, other)[n % 2].revoke(i), 8)
        assert sorted(told) == [False] * 7 + [True]


def test_closing_while_others_call_ends_every_call(place: Place) -> None:
    sessions = place.open("psycopg", {"pool_size": "3"})
    token = sessions.issue("ann", method="password").token
    answers: list[Any] = []

    def work(n: int) -> None:
        if n == 0:
            sessions.close()
            return
        for _ in range(10):
            try:
                answers.append(bool(sessions.validate(token)))
            except Exception as error:  # noqa: BLE001 - looked at below
                answers.append(type(error).__name__)

    all_at_once(work, 8)
    assert set(answers) <= {True, "ManagerClosed", "BackendUnavailable"}
    until(lambda: place.connections_of_ours() == [])
