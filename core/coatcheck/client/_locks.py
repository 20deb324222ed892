"""A lock that a forked process finds free, whoever held it in the parent."""

from __future__ import annotations

import threading

from .._forks import renew_after_fork


class Lock:
    """For `with`. Not for a thread that forks while it holds it."""

    def __init__(self) -> None:
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()
