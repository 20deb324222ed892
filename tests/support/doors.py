"""The managers through which a load comes in: every kind that a store has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from coatcheck import AsyncSessionManager, SessionManager
from coatcheck_conformance.faces import BlockingManager
from loads import Door
from shared_servers import with_options

PEPPER = "the pepper of the tests under faults, of more than thirty-two bytes"


def options(deadline: float, **more: Any) -> dict[str, Any]:
    """Of every manager: with touches that are due after an instant."""
    touch = timedelta(milliseconds=50)
    seconds = timedelta(seconds=deadline)
    return {"pepper": PEPPER, "deadline": seconds, "touch_interval": touch, **more}


def opener(kind: Any, url: str, deadline: float) -> Callable[[], Any]:
    """Opens a manager of this kind."""
    return lambda: kind.open(url, **options(deadline))


def postgresql_doors(
    url: str, deadline: float, clients: int = 3, cancelling: float = 0.0, **query: str
) -> list[Door]:
    """Threads on psycopg, tasks on psycopg, tasks on asyncpg."""
    url = with_options(url, **query) if query else url
    on_asyncpg = url.replace("postgresql:", "postgresql+asyncpg:", 1)
    return [
        Door(opener(SessionManager, url, deadline), clients),
        Door(opener(AsyncSessionManager, url, deadline), clients, cancelling),
        Door(opener(AsyncSessionManager, on_asyncpg, deadline), clients, cancelling),
    ]


def mongodb_doors(
    url: str, deadline: float, clients: int = 4, cancelling: float = 0.0, **query: str
) -> list[Door]:
    """Threads on `MongoClient`, tasks on `AsyncMongoClient`."""
    url = with_options(url, **query) if query else url
    return [
        Door(opener(SessionManager, url, deadline), clients),
        Door(opener(AsyncSessionManager, url, deadline), clients, cancelling),
    ]


@contextmanager
def entered(door: Door) -> Iterator[Any]:
    """Its manager by itself, with calls that block."""
    manager = door.make()
    if isinstance(manager, SessionManager):
        with manager:
            yield manager
        return
    with asyncio.Runner() as runner:
        sessions = BlockingManager(manager, runner)
        sessions.start()
        try:
            yield sessions
        finally:
            sessions.close()
