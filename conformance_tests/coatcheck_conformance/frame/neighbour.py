"""Another process on the same store, which does what it is asked.

    python -P -m coatcheck_conformance.frame.neighbour URL PEPPER

It reads questions from its input, each a line of JSON, `[now, call, argument]`, and says each
answer, or what was raised instead, in a line of JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from threading import Timer
from typing import Any, Final, cast
from uuid import UUID

from coatcheck import Session, SessionManager

from ..clock import Clock
from .expecting import Broken, in_words
from .writer import Step, write

LIMIT: Final = 30.0
"""Seconds to an answer, the start of the process included; a manager's own deadline is 5 s."""


class Neighbour:
    """The process, as long as it runs.

    :param clock: whose time it takes for now.
    :param limit: seconds after which it is killed if it does not answer.
    """

    def __init__(self, url: str, pepper: str, clock: Clock, limit: float = LIMIT) -> None:
        self._clock, self._limit = clock, limit
        self._why = ""
        """What has kept it from answering, for all who ask it thereafter."""
        command = [sys.executable, "-P", "-m", __name__, url, pepper]
        self._process = subprocess.Popen(  # noqa: S603 - this very module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._questions: Any = self._process.stdin
        self._answers: Any = self._process.stdout

    def ask(self, call: str, argument: object) -> Any:
        """The answer of the process, as `hear` gives it."""
        self.tell(call, argument)
        return self.hear()

    def tell(self, call: str, argument: object) -> None:
        """Ask, and wait for no answer."""
        question = json.dumps([self._clock().isoformat(), call, argument])
        with suppress(BrokenPipeError):  # `hear` knows why it has ended
            self._questions.write(f"{question}\n")
            self._questions.flush()

    def hear(self) -> Any:
        """Its next answer. Raises `Broken` with what was raised there instead, or with how the
        process ended."""
        watch = Timer(self._limit, self._give_up)
        watch.start()
        try:
            line: str = self._answers.readline()
        finally:
            watch.cancel()
        if not line:
            self._why = self._why or f"it ended, with the exit code {self._process.wait()}"
            raise Broken("the other process answers", actual=self._why)
        return self._said(line)

    def _give_up(self) -> None:
        self._why = f"no answer within {self._limit:g} s"
        self._process.kill()

    def _said(self, line: str) -> Any:
        answer = json.loads(line)
        is_error = isinstance(answer, dict)
        self._why = cast(dict[str, str], answer)["raised"] if is_error else ""
        if is_error:
            raise Broken("the other process answers", actual=self._why)
        return answer

    def kill(self) -> list[Any]:
        """End the process with SIGKILL. What it had said by then."""
        self._process.kill()
        return [self._said(line) for line in self._answers if line.endswith("\n")]

    def close(self) -> None:
        """End the process, in an orderly way if it has one."""
        with self._process as process:
            with suppress(BrokenPipeError):
                self._questions.close()
            try:
                process.wait(self._limit)
            except subprocess.TimeoutExpired:
                process.kill()


def killed_after(number: int, url: str, pepper: str, clock: Clock, steps: list[Step]) -> list[str]:
    """Kill one that writes after so many acknowledgements; all that came through."""
    with closing(Neighbour(url, pepper, clock)) as neighbour:
        neighbour.tell("write", steps)
        answers = [neighbour.hear() for _ in range(number)]
        return answers + neighbour.kill()


# What runs in the process


def main(url: str, pepper: str) -> None:
    """See the module's own words."""
    clock = Clock()
    with (
        _telling(),
        SessionManager.open(url, pepper=pepper, clock=clock, prepare=False) as sessions,
    ):
        for line in sys.stdin:
            now, call, argument = json.loads(line)
            clock.set(datetime.fromisoformat(now))
            with _telling():
                for answer in _answers_of(sessions, call, argument):
                    _say(answer)


@contextmanager
def _telling() -> Generator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whoever asked says what it means
        _say({"raised": in_words(error)})


def _say(answer: object) -> None:
    sys.stdout.write(f"{json.dumps(answer)}\n")
    sys.stdout.flush()


def _answers_of(sessions: SessionManager, call: str, argument: Any) -> Iterator[object]:
    """What a call gives, as far as JSON can say it."""
    if call == "write":
        yield from write(sessions, argument)
    elif call == "validate":
        answer = sessions.validate(argument)
        yield sorted(answer.scopes) if isinstance(answer, Session) else str(answer.reason)
    elif call == "revoke":
        yield sessions.revoke(UUID(argument))
    elif call == "revoke_all":
        yield len(sessions.revoke_all(user_id=argument))
    else:
        session_id, scopes = argument
        yield sessions.update(UUID(session_id), scopes=scopes) is not None


if __name__ == "__main__":
    main(*sys.argv[1:])
