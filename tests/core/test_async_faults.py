"""`AsyncSessionManager` over a store whose hooks hang or fail."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from time import monotonic

import pytest

from coatcheck import (
    BackendError,
    BackendUnavailable,
    OutcomeUnknown,
    WouldBlock,
)
from coatcheck_backends.memory import MemoryBackend
from watched_backend import Watched, until
from watched_calls import calls_of, opened


def hold_until(event: threading.Event) -> Callable[[], object]:
    return lambda: event.wait(20)


@pytest.mark.parametrize(
    ("hook", "error"),
    [("insert", OutcomeUnknown), ("load", BackendUnavailable), ("update", OutcomeUnknown),
     ("find", BackendUnavailable), ("count", BackendUnavailable), ("update_where", OutcomeUnknown),
     ("pepper_counts", BackendUnavailable), ("purge", OutcomeUnknown),
     ("ping", BackendUnavailable), ("delete_where", OutcomeUnknown), ("delete", OutcomeUnknown)],
)  # fmt: skip
def test_a_hook_that_hangs_ends_the_call_in_time(hook: str, error: type[Exception]) -> None:
    store = Watched(MemoryBackend())
    over = threading.Event()

    async def scenario() -> None:
        async with opened(store, deadline=timedelta(seconds=0.05)) as sessions:
            issued = await sessions.issue("ann", method="password")
            store.hold[hook] = hold_until(over)
            began = monotonic()
            with pytest.raises(error):
                await calls_of(sessions, issued)[hook]()
            assert monotonic() - began < 0.55
            over.set()
            del store.hold[hook]
            for _ in range(20):
                assert await sessions.validate((await sessions.issue("b", method="x")).token)

    asyncio.run(scenario())


@pytest.mark.parametrize("hook", ["touch", "replace_key_hash"])
def test_a_touch_or_rewrite_that_hangs_fails_no_validation(hook: str) -> None:
    store = Watched(MemoryBackend())
    over = threading.Event()

    async def scenario() -> None:
        async with opened(store) as sessions:
            issued = await sessions.issue("ann", method="password")
            options = {"deadline": timedelta(seconds=0.5), "touch_interval": timedelta(0)}
            async with opened(store, salt_length=8, **options) as other:
                store.hold[hook] = hold_until(over)
                began = monotonic()
                assert await other.validate(issued.token)
                assert monotonic() - began < 0.05 + 0.5
                over.set()

    asyncio.run(scenario())


def test_as_many_hanging_calls_as_there_are_threads_hold_up_only_those_behind_them() -> None:
    store = Watched(MemoryBackend(), "load")
    over = threading.Event()

    async def scenario() -> None:
        async with opened(store, deadline=timedelta(seconds=0.1)) as sessions:
            issued = await sessions.issue("ann", method="password")
            store.hold["insert"] = hold_until(over)
            began = monotonic()
            answers = await asyncio.gather(
                *[sessions.issue("bob", method="password") for _ in range(30)],
                return_exceptions=True,
            )
            assert monotonic() - began < 0.6
            assert {type(answer) for answer in answers} == {OutcomeUnknown, BackendUnavailable}
            unknown = sum(isinstance(answer, OutcomeUnknown) for answer in answers)
            assert await sessions.validate(issued.token), "inline"
            over.set()
            del store.hold["insert"]
            await until(lambda: len(store.backend._records) == 1 + unknown)
            for _ in range(20):
                assert await sessions.issue("eve", method="password")
            stored = len(store.backend._records)
            assert stored == 1 + 20 + unknown, "what never began never happened"

    asyncio.run(scenario())


@pytest.mark.parametrize("error", [LookupError, BackendUnavailable, TimeoutError, WouldBlock])
def test_a_hook_that_fails_leaves_asyncio_nothing_to_complain_of(
    error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    store = Watched(MemoryBackend())

    def fail() -> None:
        raise error

    async def scenario() -> None:
        async with opened(store, touch_interval=timedelta(0)) as sessions:
            issued = await sessions.issue("ann", method="password")
            store.hold = {"touch": fail, "find": fail, "delete": fail}
            assert await sessions.validate(issued.token)
            for call in (sessions.find, lambda: sessions.revoke(issued.session.id)):
                with pytest.raises(BackendError):
                    await call()
            gc.collect()

    with caplog.at_level(logging.DEBUG, logger="asyncio"):
        asyncio.run(scenario())
        gc.collect()
    assert [r.getMessage() for r in caplog.records if r.name == "asyncio" and r.levelno > 10] == []
