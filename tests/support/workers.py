"""Another process that works on the same file: told what to do by a pipe, or killed at work.

This module is both ends: `Worker` here, and the loop below when it is run by itself.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from uuid import UUID


class Worker:
    """A Python process with a `SessionManager` of its own, from its first call on."""

    def __init__(self, url: str, pepper: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, url, pepper],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, call: str, **arguments: Any) -> Any:
        """Have it done, and wait for the answer."""
        self.tell(call, **arguments)
        answer = self.lines().__next__()
        assert "failure" not in answer, answer
        return answer["answer"]

    def tell(self, call: str, **arguments: Any) -> None:
        """Have it begun."""
        assert self.process.stdin is not None
        print(json.dumps([call, arguments]), file=self.process.stdin, flush=True)

    def lines(self) -> Iterator[Any]:
        """What it says, until it ends."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if not line.endswith("\n"):
                return  # cut off by the kill
            yield json.loads(line)

    def kill(self) -> None:
        """`kill -9`."""
        self.process.send_signal(signal.SIGKILL)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


class Calls:
    """What a worker can be asked to do."""

    def __init__(self, url: str, pepper: str) -> None:
        self.url, self.pepper = url, pepper
        self._sessions: Any = None
        self._raw: Any = None

    @property
    def sessions(self) -> Any:
        if self._sessions is None:
            from coatcheck import SessionManager

            self._sessions = SessionManager.open(self.url, pepper=self.pepper)
        return self._sessions

    def validate(self, token: str) -> Any:
        answer = self.sessions.validate(token)
        return sorted(answer.scopes) if answer else str(answer.reason)

    def update(self, session_id: str, scopes: list[str]) -> bool:
        return self.sessions.update(UUID(session_id), scopes=scopes) is not None

    def revoke(self, session_id: str) -> bool:
        return self.sessions.revoke(UUID(session_id))

    def warm_up(self) -> int:
        """Have everything imported."""
        self.prepare("sqlite://")
        return os.getpid()

    def prepare(self, url: str) -> str:
        from coatcheck import SessionManager

        SessionManager.open(url, pepper=self.pepper).close()
        return "prepared"

    def lock(self, how: str) -> str:
        """Hold the database as another program might."""
        import sqlite3

        self._raw = sqlite3.connect(self.url.removeprefix("sqlite:///"), isolation_level=None)
        self._raw.execute(f"BEGIN {how}")
        return how

    def unlock(self) -> None:
        self._raw.execute("ROLLBACK")
        self._raw.close()

    def work(self) -> None:
        """Issue, change and revoke without end, and say each time what was acknowledged."""
        for n in range(10**9):
            issued = self.sessions.issue(f"user {n}", method="password")
            session_id = str(issued.session.id)
            say(["issued", session_id, issued.token])
            if n % 3:
                self.sessions.update(issued.session.id, scopes={f"scope-{n}"})
                say(["updated", session_id, f"scope-{n}"])
            if n % 3 == 2:
                say(["revoking", session_id])
                self.sessions.revoke(issued.session.id)
                say(["revoked", session_id])


def say(what: Any) -> None:
    os.write(1, (json.dumps(what) + "\n").encode())


def main() -> None:
    calls = Calls(*sys.argv[1:])
    for line in sys.stdin:
        call, arguments = json.loads(line)
        try:
            say({"answer": getattr(calls, call)(**arguments)})
        except Exception as error:  # noqa: BLE001 - the test that asked shows it
            say({"failure": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main()
