"""A synchronous backend that notes on which thread each hook ran and how much time it had."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any, NamedTuple

from coatcheck import BackendInfo, WouldBlock, hookimpl, remaining
from coatcheck_conformance.relay import OPTIONAL_HOOKS, REQUIRED_HOOKS, Relay


class Seen(NamedTuple):
    """One call of a hook."""

    hook: str
    thread: str
    left: float


class Watched(Relay):
    """A relay whose hooks may be called inline, may say that they would block, and may hang."""

    def __init__(self, backend: object, *inline: str) -> None:
        super().__init__(backend)
        self.inline = frozenset(inline)
        self.seen: list[Seen] = []
        self.blocks: set[str] = set()
        """Hooks that say `WouldBlock` while they have no time at all."""
        self.hold: dict[str, Callable[[], object]] = {}
        """By hook, what happens in every call of it before the answer."""

    @hookimpl
    def info(self) -> BackendInfo:
        info = self.told(REQUIRED_HOOKS | OPTIONAL_HOOKS)
        return info._replace(inline=self.inline)

    def _pass(self, hook: str, *args: Any) -> Any:
        left = remaining()
        self.seen.append(Seen(hook, threading.current_thread().name, left))
        if hook in self.blocks and left == 0.0:
            raise WouldBlock(hook)
        hold = self.hold.get(hook)
        if hold is not None:
            hold()
        return super()._pass(hook, *args)

    def take(self) -> list[Seen]:
        """What was called since the last time."""
        seen, self.seen = self.seen, []
        return seen


async def until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Let the loop turn until something is so."""
    end = monotonic() + seconds
    while monotonic() < end:
        if condition():
            return
        await asyncio.sleep(0.0005)
    raise AssertionError("it never came to that")
