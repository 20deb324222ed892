"""A backend with something around each of its hooks, for a relay to stand in front of."""

from __future__ import annotations

import asyncio
import random
import time
from functools import partial
from typing import Any, Final
from uuid import UUID

from coatcheck import BackendInfo


class Between:
    """Every hook of a backend but `bound`, called by way of `around`."""

    def __init__(self, backend: Any, *, asynchronous: bool) -> None:
        self.backend, self.asynchronous = backend, asynchronous

    def info(self) -> BackendInfo:
        """What the backend says of itself; nothing is answered on the loop's own thread."""
        own: BackendInfo = self.backend.info()
        return own._replace(inline=frozenset(), asynchronous=self.asynchronous)

    def __getattr__(self, hook: str) -> Any:
        if hook == "bound":
            raise AttributeError(hook)
        return partial(self.around, hook, getattr(self.backend, hook))

    def around(self, hook: str, call: Any, *args: Any) -> Any:
        """One call of a hook; awaitable, if this is `asynchronous`."""
        raise NotImplementedError


LONGEST_PAUSE: Final = 50e-6
"""Seconds."""
LONG: Final = 0.1
SHORT: Final = 0.4
"""How often there is a pause of either kind."""


class Jostled(Between):
    """Lets others go first before or after a hook, now and then for a moment longer: in a
    store that answers at once, no two calls would be under way together.

    :ivar untouched: the sessions of which a touch said that they are gone.
    """

    def __init__(self, backend: Any, dice: random.Random) -> None:
        super().__init__(backend, asynchronous=backend.info().asynchronous)
        self.dice = dice
        self.untouched: set[UUID] = set()

    def around(self, hook: str, call: Any, *args: Any) -> Any:
        if self.asynchronous:
            return self._awaited(hook, call, *args)
        self._pause()
        try:
            return self._noted(hook, args, call(*args))
        finally:
            self._pause()

    def _noted(self, hook: str, args: tuple[Any, ...], answer: Any) -> Any:
        if hook == "touch" and not answer:
            self.untouched.add(args[0])
        return answer

    def _pause(self) -> None:
        chance = self.dice.random()
        if chance < LONG:
            time.sleep(self.dice.random() * LONGEST_PAUSE)
        elif chance < LONG + SHORT:
            time.sleep(0)  # whoever waits for the interpreter has it

    async def _awaited(self, hook: str, call: Any, *args: Any) -> Any:
        await self._turns()
        try:
            return self._noted(hook, args, await call(*args))
        finally:
            await self._turns()

    async def _turns(self) -> None:
        for _ in range(self.dice.randrange(3)):
            await asyncio.sleep(0)
