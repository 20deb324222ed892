"""`validate` and `find` against the raw statement: one thread, eight, and an event loop."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from time import perf_counter
from typing import Any

from coatcheck import AsyncSessionManager, SessionManager
from rounds import Figure, compare
from store import OPTIONS, SELECT, SELECT_USER, Store

THREADS = 8


def figures(store: Store, *, rounds: int, operations: int) -> list[Figure]:
    """All of them, on one store."""
    with store.manager() as manager:
        return [
            validate_sync(store, manager, rounds, operations),
            validate_async(store, rounds, operations),
            validate_threads(store, manager, rounds, operations),
            find_user(store, manager, rounds, operations // 10),
        ]


def validate_sync(
    store: Store, manager: SessionManager, rounds: int, operations: int, name: str = ""
) -> Figure:
    """All of the work, no touch due, user and scopes of the answer read."""
    connection = store.connect()

    def raw() -> float:
        return _timed_raw(connection.execute, random.sample(store.ids, operations))

    def ours() -> float:
        return _timed_validate(manager, random.sample(store.tokens, operations))

    figure = compare(name or "validate, sync", raw, ours, rounds=rounds, limit=2.3)
    connection.close()
    return figure


def validate_async(store: Store, rounds: int, operations: int) -> Figure:
    """The same under `AsyncSessionManager`, against the raw read on the loop's thread."""
    connection = store.connect()

    async def measure() -> Figure:
        async with AsyncSessionManager.open(store.url, **OPTIONS) as manager:
            loop = asyncio.get_running_loop()

            async def validate() -> float:
                tokens = random.sample(store.tokens, operations)
                start = perf_counter()
                for token in tokens:
                    session = await manager.validate(token)
                    assert session
                    session.user_id, session.scopes  # noqa: B018 - reading them is the work
                return (perf_counter() - start) / operations * 1e6

            def raw() -> float:
                return _timed_raw(connection.execute, random.sample(store.ids, operations))

            def ours() -> float:
                return asyncio.run_coroutine_threadsafe(validate(), loop).result()

            return await asyncio.to_thread(
                compare, "validate, async", raw, ours, rounds=rounds, limit=3.0
            )

    figure = asyncio.run(measure())
    connection.close()
    return figure


def validate_threads(store: Store, manager: SessionManager, rounds: int, operations: int) -> Figure:
    """Eight threads of ours against eight threads with a raw connection each."""
    connections = [store.connect() for _ in range(THREADS)]

    def raw() -> float:
        return _in_threads(
            lambda n, ids: _timed_raw(connections[n].execute, ids), store.ids, operations
        )

    def ours() -> float:
        return _in_threads(
            lambda _, tokens: _timed_validate(manager, tokens), store.tokens, operations
        )

    figure = compare(f"validate, {THREADS} threads", raw, ours, rounds=rounds, limit=3.0)
    for connection in connections:
        connection.close()
    return figure


def find_user(store: Store, manager: SessionManager, rounds: int, operations: int) -> Figure:
    """The ten sessions of a user."""
    connection = store.connect()

    def raw() -> float:
        users = store.users(operations)
        start = perf_counter()
        for user in users:
            connection.execute(SELECT_USER, (user,)).fetchall()
        return (perf_counter() - start) / operations * 1e6

    def ours() -> float:
        users = store.users(operations)
        start = perf_counter()
        for user in users:
            manager.find(user_id=user)
        return (perf_counter() - start) / operations * 1e6

    figure = compare("find, a user's 10 sessions", raw, ours, rounds=rounds, limit=3.0)
    connection.close()
    return figure


def _timed_raw(execute: Callable[..., object], ids: list[bytes]) -> float:
    start = perf_counter()
    for session_id in ids:
        execute(SELECT, (session_id,)).fetchone()  # type: ignore[attr-defined]
    return (perf_counter() - start) / len(ids) * 1e6


def _timed_validate(manager: SessionManager, tokens: list[str]) -> float:
    validate = manager.validate
    start = perf_counter()
    for token in tokens:
        session = validate(token)
        assert session
        session.user_id, session.scopes  # noqa: B018 - reading them is the work
    return (perf_counter() - start) / len(tokens) * 1e6


def _in_threads(
    work: Callable[[int, list[Any]], float], items: list[Any], operations: int
) -> float:
    """Microseconds of wall time for each operation of all the threads together."""
    share = operations // THREADS
    shares = [random.sample(items, share) for _ in range(THREADS)]
    barrier = threading.Barrier(THREADS + 1)

    def run(number: int) -> None:
        barrier.wait()
        work(number, shares[number])

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    barrier.wait()
    start = perf_counter()
    for thread in threads:
        thread.join()
    return (perf_counter() - start) / (share * THREADS) * 1e6
