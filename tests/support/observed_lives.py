"""A manager over memory with observers, and a life in which every event happens."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from coatcheck import AsyncSessionManager, SessionManager
from coatcheck_backends.memory import MemoryBackend
from coatcheck_conformance.clock import Clock
from coatcheck_conformance.faces import BlockingManager
from failing_stores import Failing

PEPPER = "the pepper of these tests, which is of more than thirty-two bytes"
OLD = "last year's pepper of these tests, of more than thirty-two bytes"
HOUR = timedelta(hours=1)


class Stand:
    """A manager over memory whose store can fail, and a clock."""

    def __init__(self, runner: asyncio.Runner | None, cover: type = Failing) -> None:
        self.runner = runner
        self.clock = Clock()
        self.store = cover(MemoryBackend())

    def open(self, *plugins: object, **options: Any) -> Any:
        chosen = {"pepper": PEPPER, "clock": self.clock, "plugins": plugins, **options}
        if self.runner is None:
            return SessionManager(self.store, **chosen)
        sessions = BlockingManager(AsyncSessionManager(self.store, **chosen), self.runner)
        sessions.start()
        return sessions


def life(stand: Stand, sessions: Any) -> dict[str, Any]:
    """Every call once, with something to do."""
    issued = sessions.issue("ann", method="password", scopes={"a"})
    second = sessions.issue("bob", method="passkey", lifetime=HOUR)
    validated = sessions.validate(issued.token)
    updated = sessions.update(issued.session.id, scopes={"b"}, metadata={"c": 1})
    sessions.update_all(user_id="bob", scopes={"d"})
    sessions.revoke(issued.session.id)
    rejected = sessions.validate(issued.token)
    stand.clock.move(HOUR)
    ended = sessions.validate(second.token)
    sessions.purge()
    third = sessions.issue("eve", method="password")
    sessions.revoke_all(user_id="eve")
    return locals()
