"""Calls that halt at a gate before each question to the store, and every order of their steps."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from inspect import isawaitable
from typing import Any

from .between import Between

Order = tuple[int, ...]


class Steps:
    """A call under way, which `step` takes from one question to the store to the next.

    :param begin: what is awaited; it first runs in the first step.
    :ivar told: is told each question, by hook and arguments, and what the store answered.
    :ivar answer: what the call gave, once it is `over`; or `error`, if it raised.
    """

    def __init__(self, begin: Callable[[], Awaitable[Any]]) -> None:
        self._begin = begin
        self._task: asyncio.Task[None] | None = None
        self._halted, self._let_on = asyncio.Event(), asyncio.Event()
        self.told: Callable[[str, tuple[Any, ...], Any], object] = _nobody
        self.answer: Any = None
        self.error: Exception | None = None
        self.over = False

    async def step(self) -> None:
        """Ask the store once, and go on to just before the next question, or to the end."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())
            await self._halted.wait()
        if not self.over:
            self._halted.clear()
            self._let_on.set()
            await self._halted.wait()

    async def halt(self) -> None:
        """At the gate: wait until the next `step`."""
        self._let_on.clear()
        self._halted.set()
        await self._let_on.wait()

    async def _run(self) -> None:
        _under_way.set(self)
        try:
            self.answer = await self._begin()
        except Exception as error:  # noqa: BLE001 - judged by whoever lets the call go on
            self.error = error
        self.over = True
        self._halted.set()


def _nobody(hook: str, args: tuple[Any, ...], answer: Any) -> None:
    del hook, args, answer


_under_way: ContextVar[Steps | None] = ContextVar("steps", default=None)


class Gated(Between):
    """An asynchronous face of any backend, at whose hooks the calls halt. Those of a
    synchronous backend are simply called."""

    def __init__(self, backend: Any) -> None:
        super().__init__(backend, asynchronous=True)

    async def around(self, hook: str, call: Any, *args: Any) -> Any:
        steps = _under_way.get()
        if steps is None:
            return await answered(call, *args)
        await steps.halt()
        try:
            answer = await answered(call, *args)
        except Exception as error:
            steps.told(hook, args, error)
            raise
        steps.told(hook, args, answer)
        return answer


async def answered(call: Any, *args: Any) -> Any:
    """What a hook gives, whichever kind of function it is."""
    answer = call(*args)
    return await answer if isawaitable(answer) else answer


def orders(
    run: Callable[[Callable[[], int]], None], *, most: int, dice: random.Random
) -> Iterator[Order]:
    """Different orders of choices that `run` can make: every one, each once, or if there are
    more than `most`, so many of them, drawn at random.

    `run` is called again and again; each time that it has to choose who goes next it calls
    its argument with nothing to tell and gets 0 for "the first" or 1 for "the second". After
    the same choices it must have the same ones before it.
    """
    done: set[Order] = set()
    """Beginnings from which there is nothing left to try."""
    for _ in range(most):
        made: list[int] = []

        def choose(made: list[int] = made) -> int:
            made.append(dice.choice([who for who in (0, 1) if (*made, who) not in done]))
            return made[-1]

        run(choose)
        yield tuple(made)
        done.add(tuple(made))
        while made and (*made[:-1], 1 - made[-1]) in done:
            made.pop()
            done.add(tuple(made))
        if () in done:
            return
