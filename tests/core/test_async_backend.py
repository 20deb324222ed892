"""An asynchronous backend behind `AsyncSessionManager`: a round trip, deadlines, cancellation."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from async_backend import AsyncBackend
from coatcheck import (
    AsyncSessionManager,
    BackendError,
    BackendUnavailable,
    ConfigError,
    OutcomeUnknown,
    SessionManager,
    hookimpl,
    remaining,
)
from coatcheck_backends.memory import MemoryBackend
from watched_backend import Watched, until

PEPPER = "the pepper of these tests, which is of more than thirty-two bytes"
OLD = "last year's pepper of these tests, of more than thirty-two bytes"
OPERATIONS = ("issue", "validate", "update", "revoke", "revoke_all", "update_all", "count",
              "purge", "pepper_status", "find", "get", "ping")  # fmt: skip


async def round_trip(sessions: AsyncSessionManager) -> None:
    issued = await sessions.issue("ann", method="password", scopes={"a"}, metadata={"b": [1]})
    assert await sessions.validate(issued.token) == issued.session
    assert await sessions.get(issued.session.id) == issued.session
    assert (await sessions.update(issued.session.id, scopes={"c"})).scopes == {"c"}
    assert await sessions.update_all(user_id="ann", metadata={}) == 1
    assert await sessions.count(user_id="ann") == 1
    assert [s.user_id for s in await sessions.find(scope="c")] == ["ann"]
    assert (await sessions.pepper_status())[0].sessions == 1
    await sessions.issue("bob", method="password", lifetime=timedelta(milliseconds=1))
    await asyncio.sleep(0.002)
    assert await sessions.purge() == 1
    assert await sessions.revoke(issued.session.id)
    assert not await sessions.validate(issued.token)
    assert await sessions.revoke_all(everyone=True) == []
    await sessions.ping()


def test_it_passes_a_round_trip() -> None:
    async def scenario() -> None:
        async with AsyncSessionManager(AsyncBackend(), pepper=PEPPER) as sessions:
            await round_trip(sessions)
            await asyncio.gather(*[round_trip_of_one(sessions, n) for n in range(20)])

    async def round_trip_of_one(sessions: AsyncSessionManager, n: int) -> None:
        issued = await sessions.issue(f"user {n}", method="password")
        assert (await sessions.validate(issued.token)).user_id == f"user {n}"
        assert await sessions.revoke(issued.session.id)

    asyncio.run(scenario())


def test_the_synchronous_manager_refuses_it() -> None:
    with pytest.raises(ConfigError, match="AsyncSessionManager"):
        SessionManager(AsyncBackend(), pepper=PEPPER)


def test_a_hook_that_hangs_is_cancelled_at_the_deadline() -> None:
    cancelled: list[str] = []

    class Hanging(AsyncBackend):
        @hookimpl
        async def load(self, session_id: Any) -> None:
            await self._hang("load")

        @hookimpl
        async def delete(self, session_id: Any, where: Any) -> None:
            await self._hang("delete")

        async def _hang(self, hook: str) -> None:
            assert 0 < remaining() <= 0.05
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled.append(hook)
                raise

    async def scenario() -> None:
        deadline = timedelta(seconds=0.05)
        async with AsyncSessionManager(Hanging(), pepper=PEPPER, deadline=deadline) as sessions:
            issued = await sessions.issue("ann", method="password")
            began = monotonic()
            with pytest.raises(BackendUnavailable):
                await sessions.validate(issued.token)
            with pytest.raises(OutcomeUnknown):
                await sessions.revoke(issued.session.id)
            assert monotonic() - began < 2 * 0.55
            assert cancelled == ["load", "delete"]

    asyncio.run(scenario())


class Stops(Watched):
    """Stops in the n-th hook until it is let go on."""

    def __init__(self, backend: object) -> None:
        super().__init__(backend)
        self.stop_at: int | None = None
        self.stopped, self.go_on = threading.Event(), threading.Event()

    def _pass(self, hook: str, *args: Any) -> Any:
        if self.stop_at is not None:
            self.stop_at -= 1
            if self.stop_at < 0:
                self.stop_at = None
                self.stopped.set()
                assert self.go_on.wait(20)
        return super()._pass(hook, *args)

    def arm(self, number: int) -> None:
        self.stop_at = number
        self.stopped.clear()
        self.go_on.clear()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_call_that_is_cancelled_is_done_or_not_done_and_all_goes_on(operation: str) -> None:
    backend = MemoryBackend()
    store = Stops(backend)

    async def scenario() -> None:
        options: dict[str, Any] = {"fallback_peppers": [OLD], "touch_interval": timedelta(0)}
        async with (
            AsyncSessionManager(backend, pepper=OLD) as old,
            AsyncSessionManager(store, pepper=PEPPER, **options) as sessions,
        ):
            for number in range(10):
                issued = await old.issue("ann", method="password")
                before = dict(backend._records)
                call = call_of(sessions, operation, issued)
                store.arm(number)
                task = asyncio.create_task(call())
                await until(lambda task=task: store.stopped.is_set() or task.done())
                if task.done():
                    store.stop_at = None
                    assert number, "there was a call at which to stop"
                    await task
                    return
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                store.go_on.set()
                await settled(store)
                check(operation, before, dict(backend._records), issued)
                for _ in range(10):
                    assert await sessions.validate((await sessions.issue("b", method="x")).token)
                backend._records.clear()

    asyncio.run(scenario())


async def settled(store: Stops) -> None:
    """Until the thread that was left to itself is done, too."""
    before = -1
    while before != len(store.calls):
        before = len(store.calls)
        await asyncio.sleep(0.005)


def call_of(sessions: AsyncSessionManager, operation: str, issued: Any) -> Callable[[], Any]:
    arguments: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
        "issue": (("new",), {"method": "password"}),
        "validate": ((issued.token,), {}),
        "update": ((issued.session.id,), {"scopes": {"a"}}),
        "revoke": ((issued.session.id,), {}),
        "get": ((issued.session.id,), {}),
        "revoke_all": ((), {"user_id": "ann"}),
        "update_all": ((), {"user_id": "ann", "scopes": {"a"}}),
    }
    args, kwargs = arguments.get(operation, ((), {}))
    return lambda: getattr(sessions, operation)(*args, **kwargs)


def check(operation: str, before: Any, after: Any, issued: Any) -> None:
    """The store is as before, or as the whole of the step that was cancelled leaves it."""
    if operation == "issue":
        assert len(after) in (len(before), len(before) + 1)
    elif operation in ("revoke", "revoke_all"):
        assert after in (before, {})
    elif operation in ("update", "update_all"):
        assert after[issued.session.id].scopes in (frozenset(), {"a"})
    elif operation == "validate":
        assert set(after) == set(before)
    else:
        assert after == before


@pytest.mark.parametrize("operation", OPERATIONS)
def test_so_it_is_with_an_asynchronous_backend_at_every_turn_of_the_loop(operation: str) -> None:
    async def scenario() -> None:
        backend = AsyncBackend()
        options: dict[str, Any] = {"fallback_peppers": [OLD], "touch_interval": timedelta(0)}
        async with (
            AsyncSessionManager(backend, pepper=OLD) as old,
            AsyncSessionManager(backend, pepper=PEPPER, **options) as sessions,
        ):
            for turns in range(20):
                issued = await old.issue("ann", method="password")
                before = dict(backend.store.rows)
                task = asyncio.create_task(call_of(sessions, operation, issued)())
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait({task})
                check(operation, before, dict(backend.store.rows), issued)
                assert await sessions.validate((await sessions.issue("b", method="x")).token)
                backend.store.rows.clear()
                if not task.cancelled():
                    assert turns
                    task.result()
                    return
        raise AssertionError("it never came to its end")

    asyncio.run(scenario())


def test_a_cancelled_call_leaves_sqlite_whole(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'sessions.db'}"

    async def scenario() -> None:
        async with AsyncSessionManager.open(url, pepper=PEPPER) as sessions:
            for n in range(60):
                issued = await sessions.issue("ann", method="password")
                task = asyncio.create_task(sessions.revoke(issued.session.id))
                for _ in range(n % 6):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait({task})
                await sessions.revoke(issued.session.id)
                assert not await sessions.validate(issued.token)
            assert await sessions.count() == 0

    asyncio.run(scenario())


def test_a_caller_with_a_timeout_of_its_own_gets_its_own_error() -> None:
    store = Watched(MemoryBackend())
    over = threading.Event()

    async def scenario() -> None:
        async with AsyncSessionManager(store, pepper=PEPPER) as sessions:
            store.hold["insert"] = lambda: over.wait(20)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await sessions.issue("ann", method="password")
            over.set()
            del store.hold["insert"]
            assert await sessions.issue("bob", method="password")

    asyncio.run(scenario())


@pytest.mark.parametrize("answer", [None, 7, "a record", object()])
def test_what_it_answers_is_believed_no_more_than_another(answer: Any) -> None:
    class Odd(AsyncBackend):
        @hookimpl
        async def find(self, where: Any, after: Any, limit: int) -> Any:
            return answer

    async def scenario() -> None:
        async with AsyncSessionManager(Odd(), pepper=PEPPER) as sessions:
            with pytest.raises(BackendError):
                await sessions.find(user_id="ann")

    asyncio.run(scenario())
