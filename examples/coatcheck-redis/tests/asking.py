"""Either backend, asked hook by hook, and what to ask it about."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Self
from uuid import UUID

from coatcheck_redis import open_async_backend, open_backend

from coatcheck import CoatcheckError, Record, Secret

NOW = 1_900_000_000_000
DAY = 86_400_000


class Asking:
    """A backend that is prepared, and closed at the end.

    :param face: `sync` or `async`.
    """

    def __init__(self, face: str, url: str) -> None:
        self.runner = asyncio.Runner()
        self.backend: Any = (open_backend if face == "sync" else open_async_backend)(Secret(url))

    def ask(self, hook: str, *args: object) -> Any:
        answer: Any = getattr(self.backend, hook)(*args)
        return self.runner.run(answer) if asyncio.iscoroutine(answer) else answer

    def __enter__(self) -> Self:
        try:
            self.ask("prepare", True)
        except CoatcheckError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(CoatcheckError):
            self.ask("close")
        self.runner.close()


def record(number: int, user_id: str = "ann", **fields: Any) -> Record:
    """A session that lasts for a day."""
    given: dict[str, Any] = {
        "method": "password",
        "scopes": frozenset({"read"}),
        "metadata": "{}",
        "created_at": NOW,
        "last_used_at": NOW,
        "expires_at": NOW + DAY,
        "inactivity_timeout": None,
        "key_hash": "$canary-hash$",
        "pepper_id": "0011223344556677",
    }
    return Record(id=UUID(int=number), user_id=user_id, **given | fields)
