"""Another process, which writes, says so, and is killed in the middle of it.

    python -P writer.py URL PEPPER NOW

It reads steps from its input, as JSON, a list of `[call, number]`; says a line for each when
the manager has acknowledged it; and then waits to be killed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from typing import Any

from coatcheck import SessionManager

Step = tuple[str, int]


def write(sessions: Any, steps: list[Step]) -> Any:
    """Do every step; gives the token of an `issue`, and the name of any other call, each
    after it was acknowledged."""
    ids: list[Any] = []
    for step, number in steps:
        scopes = {f"scope-{number}"}
        chosen = ids[number % len(ids)] if ids else None
        if step == "issue":
            issued = sessions.issue("user", method="password", scopes=scopes)
            ids.append(issued.session.id)
            yield issued.token
            continue
        if chosen is not None and step == "update":
            sessions.update(chosen, scopes=scopes)
        elif chosen is not None:
            sessions.revoke(chosen)
        yield step


def after(steps: list[Step]) -> list[str | None]:
    """The scope of each session that these steps issue; `None` for one that was revoked."""
    scopes: list[str | None] = []
    for step, number in steps:
        place = number % len(scopes) if scopes else 0
        if step == "issue":
            scopes.append(f"scope-{number}")
        elif scopes and step == "update":
            scopes[place] = scopes[place] and f"scope-{number}"
        elif scopes:
            scopes[place] = None
    return scopes


def killed_after(number: int, url: str, pepper: str, now: datetime, steps: list[Step]) -> list[str]:
    """Kill a writer with SIGKILL after so many acknowledgements; all that came through."""
    # As a file: as a module of the package it would import all of the suite first.
    command = [sys.executable, "-P", __file__, url, pepper, now.isoformat()]
    with subprocess.Popen(  # noqa: S603 - this very module
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdin, "it is a pipe"  # noqa: S101
        assert writer.stdout, "it is a pipe"  # noqa: S101
        try:
            writer.stdin.write(json.dumps(steps) + "\n")
            writer.stdin.flush()
            answers = [writer.stdout.readline() for _ in range(number)]
        finally:
            writer.kill()
        answers += writer.stdout.readlines()
    return [answer.strip() for answer in answers if answer.strip()]


def main(url: str, pepper: str, instant: str) -> None:
    """See the module's own words."""
    now = datetime.fromisoformat(instant)
    with SessionManager.open(url, pepper=pepper, clock=lambda: now, prepare=False) as sessions:
        for answer in write(sessions, json.loads(sys.stdin.readline())):
            sys.stdout.write(f"{answer}\n")
            sys.stdout.flush()
        # Killed before anything is closed in an orderly way.
        sys.stdin.readline()


if __name__ == "__main__":
    main(*sys.argv[1:])
