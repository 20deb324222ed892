"""Another process on the same store, which does what it is asked.

    python -m coatcheck_conformance.frame.neighbour URL PEPPER

It reads questions from its input, each a line of JSON, `[now, call, argument]`, and answers
each with a line of JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from typing import Any
from uuid import UUID

from coatcheck import Session, SessionManager

from ..clock import Clock


def answer_of(sessions: SessionManager, call: str, argument: Any) -> object:
    """What a call gives, as far as JSON can say it."""
    if call == "validate":
        answer = sessions.validate(argument)
        if isinstance(answer, Session):
            return sorted(answer.scopes)
        return str(answer.reason)
    if call == "revoke":
        return sessions.revoke(UUID(argument))
    if call == "revoke_all":
        return len(sessions.revoke_all(user_id=argument))
    session_id, scopes = argument
    return sessions.update(UUID(session_id), scopes=scopes) is not None


class Neighbour:
    """The process, as long as it runs.

    :param clock: whose time it takes for now.
    """

    def __init__(self, url: str, pepper: str, clock: Clock) -> None:
        self._clock = clock
        command = [sys.executable, "-m", __name__, url, pepper]
        self._process = subprocess.Popen(  # noqa: S603 - this very module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, call: str, argument: object) -> Any:
        """The answer of the process."""
        assert self._process.stdin, "it is a pipe"  # noqa: S101
        assert self._process.stdout, "it is a pipe"  # noqa: S101
        self._process.stdin.write(json.dumps([self._clock().isoformat(), call, argument]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError(f"the other process ended at {call}")
        return json.loads(line)

    def close(self) -> None:
        """End the process in an orderly way."""
        with self._process as process:
            assert process.stdin, "it is a pipe"  # noqa: S101
            process.stdin.close()


def main(url: str, pepper: str) -> None:
    """See the module's own words."""
    clock = Clock()
    with SessionManager.open(url, pepper=pepper, clock=clock, prepare=False) as sessions:
        for line in sys.stdin:
            now, call, argument = json.loads(line)
            clock.set(datetime.fromisoformat(now))
            sys.stdout.write(json.dumps(answer_of(sessions, call, argument)) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
