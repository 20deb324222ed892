"""A pepper is rotated while processes of the old and the new deploy serve the same users."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

OLD, NEW = (
    f"the {which} pepper of a fleet, long enough to be a good one" for which in ("old", "new")
)
BEFORE = (OLD, [])
FIRST = (OLD, [NEW])
SECOND = (NEW, [OLD])
LAST = (NEW, [])

WORKER = """
import asyncio, json, sys
from coatcheck import AsyncSessionManager

async def main(url, pepper, fallbacks):
    async with AsyncSessionManager.open(url, pepper=pepper, fallback_peppers=fallbacks) as sessions:
        for line in sys.stdin:
            call, argument = json.loads(line)
            if call == "issue":
                answer = (await sessions.issue(argument, method="password")).token
            elif call == "validate":
                answer = [bool(await sessions.validate(token)) for token in argument]
            else:
                answer = [status.sessions for status in await sessions.pepper_status()]
            print(json.dumps(answer), flush=True)

asyncio.run(main(*json.loads(sys.argv[1])))
"""


class Worker:
    """A process of a service, with the settings of its deploy."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, call: str, argument: object = None) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([call, argument]) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@contextmanager
def worker(url: str, deploy: tuple[str, list[str]]) -> Iterator[Worker]:
    settings = json.dumps([url, *deploy])
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, settings],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield Worker(process)
    assert process.returncode == 0


@pytest.mark.parametrize("url", ["sqlite", "postgresql", "mongodb"], indirect=True)
def test_a_fleet_goes_through_both_steps_of_a_rotation_without_a_sign_out(url: str) -> None:
    tokens: list[str] = []
    for before, after in ((BEFORE, FIRST), (FIRST, SECOND), (SECOND, LAST)):
        with ExitStack() as stack:
            old = stack.enter_context(worker(url, before))
            new = stack.enter_context(worker(url, after))
            for turn in range(3):
                # Both deploys sign users in, and each serves the users of the other.
                tokens.append(old.ask("issue", f"user {turn} of the old"))
                tokens.append(new.ask("issue", f"user {turn} of the new"))
                for each in (new, old, new):
                    assert each.ask("validate", tokens) == [True] * len(tokens)
            if after is SECOND:
                # The old deploy is gone; until now it signed in under the old pepper.
                stack.close()
                with worker(url, SECOND) as alone:
                    assert alone.ask("validate", tokens) == [True] * len(tokens)
                    assert alone.ask("status") == [len(tokens), 0], "the old one may go"


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_one_step_alone_would_sign_users_out(url: str) -> None:
    """Else the test above proved nothing."""
    with worker(url, BEFORE) as old, worker(url, SECOND) as new:
        token = new.ask("issue", "a user of the new")
        assert old.ask("validate", [token]) == [False]
        token = old.ask("issue", "a user of the old")
        assert new.ask("validate", [token]) == [True]
        assert old.ask("validate", [token]) == [False], "its hash was rewritten"
