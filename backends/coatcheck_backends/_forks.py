"""What a backend must make anew in a forked process. SQLite, which must act before the fork
as well, has its own."""

from __future__ import annotations

import os
from typing import Any, Protocol
from weakref import WeakSet


class Forked(Protocol):
    """Something that a fork leaves in a state of which nothing can be said."""

    def after_fork(self) -> None:
        """Called in the child, before anything else runs there."""


_watched: WeakSet[Any] = WeakSet()


def renew_after_fork(item: Forked) -> None:
    """Call `item.after_fork()` in every child that is forked while `item` lives."""
    _watched.add(item)


def leave_socket(descriptor: int) -> None:
    """In a child: close its copy of a socket, and tell the other side nothing. An open copy
    would keep the other side from seeing the parent's end.

    Nothing takes the place of the descriptor, so that whoever owns it may close it again.
    """
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, descriptor, inheritable=False)
        os.close(nothing)
    except OSError:
        return


def _after_fork_in_child() -> None:
    for item in list(_watched):
        item.after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
