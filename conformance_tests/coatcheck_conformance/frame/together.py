"""Several calls at once, on either manager."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ..faces import run_together
from .stage import Stage


def at_once(stage: Stage, calls: list[Callable[[], Any]]) -> list[Any]:
    """The answers of calls that began together: in threads, or as tasks of one loop.

    Each call is a function of nothing that uses `raw(manager)` for the manager.
    """
    if stage.asynchronous:
        return run_together(stage.runner, [call() for call in calls])
    answers: list[Any] = [None] * len(calls)
    start = threading.Barrier(len(calls))

    def work(n: int, call: Callable[[], Any]) -> None:
        start.wait()
        try:
            answers[n] = call()
        except Exception as error:  # noqa: BLE001 - handed to the test below
            answers[n] = error

    threads = [threading.Thread(target=work, args=item) for item in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


def raw(manager: Any) -> Any:
    """The manager itself, of whose face `at_once` takes the coroutines."""
    return getattr(manager, "manager", manager)
