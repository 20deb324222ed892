"""`purge_every`: a purge now and then, in a thread or a task."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from random import uniform
from threading import Event, Thread

from .. import _fields
from .._flows.steps import logger

_LEAST = timedelta(seconds=1)


@contextmanager
def purging_thread(purge: Callable[[], int], interval: timedelta) -> Generator[None]:
    """Call `purge` in a daemon thread while the context is open."""
    seconds = _seconds(interval)
    stop = Event()

    def work() -> None:
        while not stop.wait(_jittered(seconds)):
            try:
                purge()
            except Exception as error:  # noqa: BLE001 - the next one may succeed
                _log(error)

    thread = Thread(target=work, name="coatcheck-purge", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@asynccontextmanager
async def purging_task(
    purge: Callable[[], Awaitable[int]], interval: timedelta
) -> AsyncGenerator[None]:
    """Await `purge` in a task while the context is open."""
    seconds = _seconds(interval)

    async def work() -> None:
        while True:
            await asyncio.sleep(_jittered(seconds))
            try:
                await purge()
            except Exception as error:  # noqa: BLE001 - the next one may succeed
                _log(error)

    task = asyncio.create_task(work(), name="coatcheck-purge")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


def _seconds(interval: timedelta) -> float:
    return _fields.span("interval", interval, least=_LEAST) / 1000


def _jittered(seconds: float) -> float:
    # A tenth to either side: processes that started together do not purge together.
    return seconds * uniform(0.9, 1.1)  # noqa: S311 - no secret


def _log(error: Exception) -> None:
    logger.error("a background purge failed with %s", type(error).__name__)
