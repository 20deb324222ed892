"""Clients that all are at work at once, under either manager.

A client is a generator of calls, run in a thread of its own or as a task of the loop, so
that it is written once for both.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from .stage import Stage
from .together import at_once

Client = Generator[Callable[[], Any], Any, Any]
"""Yields what is to be called, under an asynchronous manager also awaited, and gets the answer."""

SWITCH_INTERVAL: Final = 5e-5
"""Seconds. The interpreter's own would let most calls end undisturbed."""


def together(stage: Stage, clients: list[Client]) -> list[Any]:
    """What each client returns. They begin at the same moment."""
    drive: Callable[[Client], Any] = _awaiting if stage.asynchronous else _waiting
    with _switching_often():
        return at_once(stage, [partial(drive, client) for client in clients])


@contextmanager
def _switching_often() -> Generator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _waiting(client: Client) -> Any:
    try:
        call = client.send(None)
        while True:
            try:
                answer = call()
            except Exception as error:  # noqa: BLE001 - the client gets it
                call = client.throw(error)
            else:
                call = client.send(answer)
    except StopIteration as done:
        return done.value


async def _awaiting(client: Client) -> Any:
    try:
        call = client.send(None)
        while True:
            try:
                answer = await call()
            except Exception as error:  # noqa: BLE001 - the client gets it
                call = client.throw(error)
            else:
                call = client.send(answer)
    except StopIteration as done:
        return done.value
