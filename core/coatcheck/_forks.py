"""What must be made anew in a forked process: locks that another thread held, and threads."""

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


def _after_fork_in_child() -> None:
    for item in list(_watched):
        item.after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
