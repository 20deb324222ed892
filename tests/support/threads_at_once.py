"""Threads that begin together, and waiting for what comes about by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic, sleep
from typing import Any

THREADS = 32


def all_at_once(work: Callable[[int], Any], number: int = THREADS) -> list[Any]:
    """What each of so many threads got, having begun together."""
    answers: list[Any] = [None] * number
    start = threading.Barrier(number)

    def run(n: int) -> None:
        start.wait()
        try:
            answers[n] = work(n)
        except BaseException as error:  # noqa: BLE001 - raised below
            answers[n] = error

    threads = [threading.Thread(target=run, args=(n,)) for n in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a call never ended"
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return answers


def until(is_so: Callable[[], bool], seconds: float = 3.0) -> None:
    """Wait for it."""
    end = monotonic() + seconds
    while not is_so():
        assert monotonic() < end, "it never came about"
        sleep(0.01)
