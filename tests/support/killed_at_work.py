"""A worker killed -9 at work, and what it had acknowledged by then."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from workers import Worker


@dataclass
class Acknowledged:
    """What a worker said before it died."""

    tokens: dict[str, str] = field(default_factory=dict)
    scopes: dict[str, str] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)
    """Revocations of which nothing is known: begun, and perhaps done."""
    revoked: set[str] = field(default_factory=set)

    def hear(self, line: list[Any]) -> None:
        what, session_id, *more = line
        if what == "issued":
            self.tokens[session_id] = more[0]
        elif what == "updated":
            self.scopes[session_id] = more[0]
        elif what == "revoking":
            self.begun.add(session_id)
        else:
            self.begun.discard(session_id)
            self.revoked.add(session_id)

    def check(self, sessions: Any) -> None:
        """All of it is so."""
        for session_id, token in self.tokens.items():
            answer = sessions.validate(token, touch=False)
            if session_id in self.revoked:
                assert not answer, "an acknowledged revocation was undone"
            elif session_id not in self.begun:
                assert answer, f"an acknowledged sign-in is lost: {answer}"
                if session_id in self.scopes:
                    assert answer.scopes == {self.scopes[session_id]}


def killed_after(worker: Worker, seconds: float) -> Acknowledged:
    """Let it work so long, kill it, and hear all that it said."""
    acknowledged = Acknowledged()
    worker.tell("work")
    said = worker.lines()
    acknowledged.hear(next(said))
    threading.Timer(seconds, worker.kill).start()
    for line in said:
        acknowledged.hear(line)
    assert worker.process.wait() == -9
    return acknowledged
