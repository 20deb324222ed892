"""What the author of a backend writes, so that the suite can try it.

    class RedisHarness(Harness):
        def __init__(self) -> None:
            self.server = start_a_server()

        def open(self) -> object:
            return coatcheck_redis.open_backend(Secret(self.server.url))

        def reset(self) -> None:
            self.server.flush()

`open` and `reset` are enough. Each of the others lets the suite show more; what it cannot
show without them it lists, with the reason that stands here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NoReturn
from uuid import UUID


class Face(StrEnum):
    """Under which manager a backend is tried."""

    SYNC = "sync"
    ASYNC = "async"


class NotShown(Exception):  # noqa: N818 - not an error: the suite lists it with its reason
    """This law, or a part of it, cannot be shown on this backend by this harness."""


@dataclass
class Transaction:
    """One of the caller's own, begun; rolled back unless `commit` is called.

    Under the asynchronous manager the functions block as well, on the loop that `begin`
    was given.

    :param handle: what a user gives to `within`.
    :param savepoint: begins a savepoint, which can `commit` and `rollback`; `None` where
        the store has none.
    :param tells: a manager learns of the end without being told.
    """

    handle: Any
    commit: Callable[[], object]
    rollback: Callable[[], object]
    savepoint: Callable[[], Any] | None = None
    tells: bool = False


class Harness:
    """Opens backends over one store, and empties it.

    It is made once for a run, without arguments, and closed at its end.
    """

    def open(self) -> object:
        """A backend on the store of this harness, as `open_backend` gives it: synchronous, or
        asynchronous if there is no other. Each call gives one on the same store; where that
        lives in the backend's own memory, the same one. The suite prepares and closes it."""
        raise NotImplementedError("a harness has a method `open`, which gives a backend")

    def reset(self) -> None:
        """The store holds no session afterwards; its schema stays. Called before each of
        thousands of examples, while backends are open."""
        raise NotImplementedError("a harness has a method `reset`, which empties the store")

    def open_async(self) -> object:
        """An asynchronous backend on the same store, as `open_async_backend` gives it.
        Without it the asynchronous manager is tried on what `open` gives."""
        _lacks("open_async()")

    def unprepared(self, face: Face) -> object:
        """A backend for this manager on another store, in which nobody has prepared anything
        yet. A backend that has nothing to prepare has no such store."""
        _lacks("unprepared()")

    def rows(self) -> Iterable[object]:
        """Everything that the store holds of the sessions, as it stands there: rows,
        documents, keys and values, in an order that does not change by itself. Its `repr` is
        searched for secrets, and compared to show that nothing was written."""
        _lacks("rows()")

    def corrupt(self, session_id: UUID) -> None:
        """Damage this session's row so that it cannot be read any more, as a defect, a restore
        or an operator might."""
        _lacks("corrupt()")

    def crash(self) -> None:
        """The store dies as of `kill -9`, and answers again when this returns. Of a store
        within the process: what a crash of the machine leaves is all that is left."""
        _lacks("crash()")

    def second_process(self) -> str:
        """The URL with which another process on this machine opens the same store."""
        _lacks("second_process()")

    def transactions(self, face: Face) -> Iterable[str]:
        """The kinds of transactions that `transaction` can begin for this manager."""
        _lacks("transactions() and transaction()")

    def transaction(
        self, kind: str, face: Face, wait: Callable[[Any], Any]
    ) -> AbstractContextManager[Transaction]:
        """A transaction of this kind, begun on the store as a user would begin it.

        :param wait: runs an awaitable to its end, on the loop of the asynchronous manager.
        """
        _lacks("transactions() and transaction()")

    def close(self) -> None:
        """Give everything back."""


def _lacks(method: str) -> NoReturn:
    raise NotShown(f"the harness has no {method}")
