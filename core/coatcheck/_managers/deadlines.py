"""Deadlines of many calls on one event loop, by one timer.

What `asyncio.timeout` does, for calls that nearly always end in time: a timer for each of
them takes as long as all the rest of the driver.
"""

from __future__ import annotations

import asyncio
from time import monotonic


class Watched:
    """A call of a task that must have ended at `until`, by the monotonic clock."""

    __slots__ = ("_cancelled_before", "is_late", "task", "until")

    def __init__(self, task: asyncio.Task[object], until: float) -> None:
        self.task = task
        self.until = until
        self.is_late = False
        self._cancelled_before = task.cancelling()

    def take_back(self) -> bool:
        """Undo the cancellation for being late. Gives whether there was no other."""
        self.is_late = False
        return self.task.uncancel() <= self._cancelled_before


class Deadlines:
    """Cancels the tasks whose time is up."""

    __slots__ = ("_loop", "_next", "_timer", "_watched")

    def __init__(self) -> None:
        self._begin(None)

    def _begin(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._next = float("inf")
        self._watched: set[Watched] = set()

    def watch(self, until: float) -> Watched:
        """From here on the running task is watched, until `forget`."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("the calls of a manager are awaited in a task")
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._begin(loop)
        watched = Watched(task, until)
        self._watched.add(watched)
        if until < self._next:
            self._set_timer(loop, until)
        return watched

    def forget(self, watched: Watched) -> None:
        """The call has ended, in time or not."""
        self._watched.discard(watched)
        if watched.is_late:
            watched.take_back()

    def _set_timer(self, loop: asyncio.AbstractEventLoop, until: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = until
        self._timer = loop.call_later(until - monotonic(), self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """The first of them may be late. Most have ended long ago, and others have begun."""
        now = monotonic()
        late = [watched for watched in self._watched if watched.until <= now]
        for watched in late:
            self._watched.discard(watched)
            watched.is_late = True
            watched.task.cancel()
        self._timer, self._next = None, float("inf")
        if self._watched:
            self._set_timer(loop, min(watched.until for watched in self._watched))
