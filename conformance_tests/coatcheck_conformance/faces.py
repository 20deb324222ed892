"""One blocking face for both managers, so that each test is written once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from inspect import iscoroutinefunction
from typing import Any, TypeVar

from coatcheck import AsyncSessionManager

T = TypeVar("T")


class BlockingManager:
    """The calls of an asynchronous manager, each run to its end on a loop that is kept.

    What is no coroutine function, such as `within`, is passed through as it is.
    """

    def __init__(self, manager: AsyncSessionManager, runner: asyncio.Runner) -> None:
        self.manager = manager
        self.runner = runner

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call: Callable[..., Any] = getattr(self.manager, name)
        return blocking(call, self.runner)


def blocking(call: Callable[..., Any], runner: asyncio.Runner) -> Callable[..., Any]:
    """`call`, run to its end if it is a coroutine function."""
    if not iscoroutinefunction(call):
        return call

    loop = runner.get_loop()

    def block(*args: Any, **kwargs: Any) -> Any:
        return awaited(loop, call(*args, **kwargs))

    return block


def awaited(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> T:
    """What a coroutine gives, on this loop; also from another thread while the loop runs."""
    if loop.is_running():
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result()
    # Not `Runner.run`: that sets the signal handler anew, which takes longer than the call.
    return loop.run_until_complete(coroutine)


def run_together(runner: asyncio.Runner, calls: list[Coroutine[Any, Any, T]]) -> list[T]:
    """The answers of coroutines that ran side by side on one loop."""

    async def together() -> list[T]:
        return list(await asyncio.gather(*calls))

    return runner.run(together())
