"""An asynchronous manager over a watched store, and a call for each hook."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from coatcheck import AsyncSessionManager

PEPPER = "the pepper of these tests, which is of more than thirty-two bytes"


@asynccontextmanager
async def opened(backend: object, **options: Any) -> AsyncIterator[AsyncSessionManager]:
    async with AsyncSessionManager(backend, pepper=PEPPER, **options) as sessions:
        yield sessions


Calls = dict[str, Callable[[], Awaitable[Any]]]


def calls_of(sessions: AsyncSessionManager, issued: Any) -> Calls:
    session_id = issued.session.id
    return {
        "insert": lambda: sessions.issue("ann", method="password"),
        "load": lambda: sessions.validate(issued.token),
        "update": lambda: sessions.update(session_id, scopes={"a"}),
        "find": lambda: sessions.find(user_id="ann"),
        "count": lambda: sessions.count(user_id="ann"),
        "update_where": lambda: sessions.update_all(user_id="ann", scopes={"b"}),
        "pepper_counts": sessions.pepper_status,
        "purge": sessions.purge,
        "ping": sessions.ping,
        "delete_where": lambda: sessions.revoke_all(user_id="nobody"),
        "delete": lambda: sessions.revoke(session_id),
    }
