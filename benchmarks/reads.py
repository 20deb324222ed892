"""`validate` and `find` against the raw statement: one thread, eight, an event loop, eight tasks.

The raw driver's time is that of its statement and of nothing else; ours is all of the work, no
touch due, user and scopes of the answer read.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from random import sample
from time import perf_counter
from typing import Any

from coatcheck import AsyncSessionManager, SessionManager
from databases import Store
from rounds import Figure, compare
from sessions import OPTIONS

AT_ONCE = 8


def figures(store: Store, *, rounds: int, operations: int) -> list[Figure]:
    """All of them, on one store."""
    amounts = {"rounds": rounds, "operations": operations}
    drivers = list(store.async_urls)
    with store.manager() as manager:
        return [
            validate_sync(store, manager, **amounts),
            *(validate_async(store, driver, **amounts) for driver in drivers),
            validate_threads(store, manager, **amounts),
            *(validate_tasks(store, driver, **amounts) for driver in drivers if store.is_server),
            find_user(store, manager, rounds=rounds, operations=operations // 10),
        ]


def validate_sync(store: Store, manager: SessionManager, *, rounds: int, operations: int) -> Figure:
    """One after another on one thread."""
    connection = store.raw()

    def raw() -> float:
        return timed(connection.read, sample(store.keys, operations))

    def ours() -> float:
        return timed(validating(manager), sample(store.tokens, operations))

    figure = _compare(store, "validate, sync", raw, ours, rounds)
    connection.close()
    return figure


def validate_async(store: Store, driver: str, *, rounds: int, operations: int) -> Figure:
    """One after another under `AsyncSessionManager`, against the same asynchronous driver."""
    return _on_a_loop(
        store, driver, "validate, async", tasks=1, rounds=rounds, operations=operations
    )


def validate_tasks(store: Store, driver: str, *, rounds: int, operations: int) -> Figure:
    """Eight tasks of ours against eight tasks with a raw connection each."""
    case = f"validate, {AT_ONCE} tasks"
    return _on_a_loop(store, driver, case, tasks=AT_ONCE, rounds=rounds, operations=operations)


def _on_a_loop(
    store: Store, driver: str, case: str, *, tasks: int, rounds: int, operations: int
) -> Figure:
    share = operations // tasks

    async def together(works: Sequence[Callable[[Any], Any]], items: list[Any]) -> float:
        chosen = sample(items, share * tasks)
        start = perf_counter()
        async with asyncio.TaskGroup() as group:
            for number, work in enumerate(works):
                group.create_task(work(chosen[number::tasks]))
        return (perf_counter() - start) / (share * tasks) * 1e6

    with asyncio.Runner() as runner:

        async def connect() -> list[Any]:
            return [await store.async_raw(driver) for _ in range(tasks)]

        manager = AsyncSessionManager.open(store.async_urls[driver], **OPTIONS)
        runner.run(manager.start())
        connections = runner.run(connect())
        reads = [connection.read for connection in connections]
        validates = [async_validating(manager)] * tasks

        def raw() -> float:
            return runner.run(together(reads, store.keys))

        def ours() -> float:
            return runner.run(together(validates, store.tokens))

        figure = _compare(store, f"{case} ({driver})" if driver else case, raw, ours, rounds)
        for connection in connections:
            runner.run(connection.close())
        runner.run(manager.close())
    return figure


def validate_threads(
    store: Store, manager: SessionManager, *, rounds: int, operations: int
) -> Figure:
    """Eight threads of ours against eight threads with a raw connection each."""
    connections = [store.raw() for _ in range(AT_ONCE)]
    validate = validating(manager)

    def raw() -> float:
        return _in_threads([each.read for each in connections], store.keys, operations)

    def ours() -> float:
        return _in_threads([validate] * AT_ONCE, store.tokens, operations)

    figure = _compare(store, f"validate, {AT_ONCE} threads", raw, ours, rounds)
    for connection in connections:
        connection.close()
    return figure


def find_user(store: Store, manager: SessionManager, *, rounds: int, operations: int) -> Figure:
    """The ten sessions of a user."""
    connection = store.raw()

    def find(users: Sequence[str]) -> None:
        for user in users:
            manager.find(user_id=user)

    def raw() -> float:
        return timed(connection.read_users, store.users(operations))

    def ours() -> float:
        return timed(find, store.users(operations))

    figure = _compare(store, "find, a user's 10 sessions", raw, ours, rounds)
    connection.close()
    return figure


def validating(manager: SessionManager) -> Callable[[Sequence[str]], None]:
    """What validates some tokens and reads what a request would."""

    def validate_all(tokens: Sequence[str]) -> None:
        validate = manager.validate
        for token in tokens:
            session = validate(token)
            assert session
            session.user_id, session.scopes  # noqa: B018 - reading them is the work

    return validate_all


def async_validating(manager: AsyncSessionManager) -> Callable[[Sequence[str]], Any]:
    """The same on an event loop."""

    async def validate_all(tokens: Sequence[str]) -> None:
        validate = manager.validate
        for token in tokens:
            session = await validate(token)
            assert session
            session.user_id, session.scopes  # noqa: B018

    return validate_all


def timed(work: Callable[[Sequence[Any]], object], items: Sequence[Any]) -> float:
    """Microseconds for each item."""
    start = perf_counter()
    work(items)
    return (perf_counter() - start) / len(items) * 1e6


def _compare(
    store: Store, case: str, raw: Callable[[], float], ours: Callable[[], float], rounds: int
) -> Figure:
    return compare(case, raw, ours, rounds=rounds, limit=store.limits.get(case))


def _in_threads(
    works: list[Callable[[Sequence[Any]], None]], items: list[Any], operations: int
) -> float:
    """Microseconds of wall time for each operation of all the threads together."""
    share = operations // len(works)
    shares = [sample(items, share) for _ in works]
    barrier = threading.Barrier(len(works) + 1)

    def run(number: int) -> None:
        barrier.wait()
        works[number](shares[number])

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(works))]
    for thread in threads:
        thread.start()
    barrier.wait()
    start = perf_counter()
    for thread in threads:
        thread.join()
    return (perf_counter() - start) / (share * len(works)) * 1e6
