"""`AsyncSessionManager`: what runs on the loop and what beside it, for how long, and cancelled."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import Any

import pytest

from async_backend import AsyncBackend
from coatcheck import (
    AsyncSessionManager,
    BackendUnavailable,
    ManagerClosed,
    hookimpl,
)
from coatcheck._credentials import argon2id
from coatcheck_backends.memory import MemoryBackend
from plain_backend import PlainBackend
from watched_backend import Watched
from watched_calls import PEPPER, calls_of, opened

ARGON2 = {"hash_scheme": "argon2id", "argon2_memory_kib": 8, "argon2_time_cost": 1}
LOOP = threading.main_thread().name


def test_only_inline_hooks_run_on_the_loops_thread() -> None:
    store = Watched(MemoryBackend(), "load", "delete")

    async def scenario() -> None:
        async with opened(store) as sessions:
            issued = await sessions.issue("ann", method="password")
            for hook, call in calls_of(sessions, issued).items():
                store.take()
                await call()
                threads = {seen.thread for seen in store.take() if seen.hook == hook}
                assert len(threads) == 1
                assert (threads == {LOOP}) == (hook in {"load", "delete"}), hook

    asyncio.run(scenario())
    assert {seen.thread for seen in store.seen} != {LOOP}, "close is no inline hook"


def test_an_inline_hook_that_would_block_is_asked_again_in_a_thread_with_what_is_left() -> None:
    store = Watched(MemoryBackend(), "load")
    store.blocks = {"load"}

    async def scenario() -> None:
        async with opened(store, deadline=timedelta(seconds=4)) as sessions:
            issued = await sessions.issue("ann", method="password")
            store.take()
            assert await sessions.validate(issued.token)
            first, second = store.take()
            assert (first.hook, first.thread, first.left) == ("load", LOOP, 0.0)
            assert second.hook == "load"
            assert second.thread != LOOP
            assert 3 < second.left <= 4

    asyncio.run(scenario())


def test_remaining_is_the_calls_deadline_a_tenth_for_a_touch_and_anew_for_each_page() -> None:
    store = Watched(MemoryBackend())
    span = timedelta(seconds=0.1)

    async def scenario() -> None:
        options = {"deadline": timedelta(seconds=10), "touch_interval": timedelta(0)}
        async with opened(store, **options) as sessions:
            issued = await sessions.issue("ann", method="password")
            for _ in range(3):
                await sessions.issue("bob", method="password", lifetime=timedelta(milliseconds=1))
            await asyncio.sleep(0.01)
            store.take()
            await sessions.validate(issued.token)
            load, touch = store.take()
            assert 9.5 < load.left <= 10
            assert touch.hook == "touch"
            assert 0.5 < touch.left <= 1
            store.hold["purge"] = lambda: threading.Event().wait(span / timedelta(seconds=2))
            assert await sessions.purge(batch_size=1) == 3
            pages = [seen.left for seen in store.take()]
            assert len(pages) == 4
            assert all(9.9 < left <= 10 for left in pages), "each page has a deadline of its own"

    asyncio.run(scenario())


def test_argon2_runs_off_the_loop_and_at_most_two_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from argon2 import low_level

    running: list[str] = []
    most = [0]
    real = low_level.hash_secret_raw

    def watched(*args: Any, **kwargs: Any) -> bytes:
        running.append(threading.current_thread().name)
        most[0] = max(most[0], len(running))
        assert threading.current_thread().name != LOOP
        threading.Event().wait(0.005)
        try:
            return real(*args, **kwargs)
        finally:
            running.pop()

    async def scenario() -> None:
        sessions = AsyncSessionManager(MemoryBackend(), pepper=PEPPER, **ARGON2)
        monkeypatch.setattr(low_level, "hash_secret_raw", watched)
        async with sessions:
            issued = await asyncio.gather(
                *[sessions.issue("ann", method="password") for _ in range(6)]
            )
            assert all(await asyncio.gather(*[sessions.validate(i.token) for i in issued]))

    asyncio.run(scenario())
    assert most[0] == argon2id.AT_ONCE == 2


def test_a_manager_serves_between_start_and_close_alone() -> None:
    async def scenario() -> None:
        backend = AsyncBackend()
        sessions = AsyncSessionManager(backend, pepper=PEPPER)
        for call in (sessions.count, sessions.ping, lambda: sessions.validate("no token")):
            with pytest.raises(ManagerClosed, match="not started"):
                await call()
        await sessions.start()
        await sessions.start()
        assert await sessions.count() == 0
        await sessions.close()
        await sessions.close()
        assert backend.closed == 1
        for call in (sessions.count, sessions.ping, sessions.start):
            with pytest.raises(ManagerClosed, match="closed"):
                await call()

    asyncio.run(scenario())


def test_a_start_that_fails_closes_the_backend() -> None:
    class Failing(AsyncBackend):
        @hookimpl
        async def prepare(self, create: bool) -> None:
            raise BackendUnavailable("not there")

    async def scenario() -> None:
        backend = Failing()
        with pytest.raises(BackendUnavailable):
            async with AsyncSessionManager(backend, pepper=PEPPER):
                raise AssertionError
        assert backend.closed == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("backend", [MemoryBackend, PlainBackend], ids=["inline", "threads"])
def test_a_manager_goes_on_on_a_second_loop(backend: type) -> None:
    sessions = AsyncSessionManager(backend(), pepper=PEPPER, **ARGON2)

    async def first() -> str:
        await sessions.start()
        return (await sessions.issue("ann", method="password")).token

    async def second(token: str) -> None:
        assert await sessions.validate(token)
        assert await sessions.revoke_all(user_id="ann")
        assert await sessions.purge() == 0
        await sessions.close()

    asyncio.run(second(asyncio.run(first())))
