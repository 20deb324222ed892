"""No SQLite connection may cross a fork.

That the child does not use its parent's connections is not enough. SQLite keeps one
record of locks for each file and process; a child inherits a copy that claims locks
which the kernel gave to its parent alone. Tried with SQLite 3.40: a connection opened
by the child after the fork believed itself locked, another process deleted the WAL
under it, and what the child then committed was lost. So the parent closes all of its
connections just before the fork, and opens new ones after it, as the child does.

Where that was not possible (a fork from C, a statement that did not end in time), the
child keeps what it inherited in `_graveyard`, since closing it is forbidden, too.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable
from time import monotonic
from typing import Protocol
from weakref import WeakSet

PATIENCE = 1.0
"""Seconds that a fork waits for the statements of other threads."""


class Forkable(Protocol):
    """A holder of connections."""

    def pause(self, deadline: float) -> list[threading.Lock]:
        """Close the connections, and give the locks that keep new ones from being opened."""
        ...

    def renew(self) -> None:
        """In the child: begin anew with fresh locks, and bury what could not be closed."""
        ...


_holders: WeakSet[Forkable] = WeakSet()
_graveyard: list[sqlite3.Connection] = []


class _Forking(threading.local):
    held: list[threading.Lock]


_forking = _Forking()


def register(holder: Forkable) -> None:
    """Have a holder of connections paused at every fork, for as long as it lives."""
    _holders.add(holder)


def bury(connections: Iterable[sqlite3.Connection]) -> None:
    """Keep a parent's connections for ever, beyond the end of the interpreter, unclosed."""
    buried = list(connections)
    _graveyard.extend(buried)
    try:
        import ctypes
    except ImportError:
        return
    for connection in buried:
        # The interpreter empties even the graveyard when it ends, and would close them.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


def _before_fork() -> None:
    deadline = monotonic() + PATIENCE
    _forking.held = [lock for holder in list(_holders) for lock in holder.pause(deadline)]


def _after_in_parent() -> None:
    for lock in _forking.held:
        lock.release()
    _forking.held = []


def _after_in_child() -> None:
    _forking.held = []
    for holder in list(_holders):
        holder.renew()


os.register_at_fork(
    before=_before_fork, after_in_parent=_after_in_parent, after_in_child=_after_in_child
)
