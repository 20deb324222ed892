"""Events of calls inside a caller's transaction: kept until it is known to have committed."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from .._errors import CoatcheckError
from .._flows.steps import Core, Tell
from . import failures
from .sync_driver import tell

if TYPE_CHECKING:
    from .._contract.plugging import Backend

Told = tuple[str, Callable[..., Any], tuple[Any, ...]]
"""An event, one observer of it, and what it is to be told."""


class CallEvents:
    """What one call inside a transaction has to tell."""

    __slots__ = ("_core", "_waiting", "over")

    def __init__(self, core: Core) -> None:
        self._core = core
        self._waiting: list[Told] = []
        self.over = False
        """Nothing more will come of it: told, or dropped with a rollback."""

    def add(self, step: Tell) -> None:
        """Keep an event for later."""
        for observer in self._core.observers[step.event]:
            self._waiting.append((step.event, observer, step.args))

    @property
    def is_empty(self) -> bool:
        """Nothing happened that anybody wants to know."""
        return not self._waiting

    def ended(self, committed: bool) -> None:
        """For the backend: the transaction around this call ended, and how."""
        if not committed:
            self._waiting.clear()
            self.over = True
            return
        self.tell_synchronous()
        self.over = not self._waiting

    def tell_synchronous(self) -> None:
        """Tell those that can be told without an event loop, once."""
        waiting, self._waiting = self._waiting, []
        for event, observer, args in waiting:
            if iscoroutinefunction(observer):
                self._waiting.append((event, observer, args))
            else:
                tell(event, (observer,), args)

    def take(self) -> list[Told]:
        """All that waits, for the caller to tell."""
        waiting, self._waiting = self._waiting, []
        self.over = True
        return waiting


class Transaction:
    """A caller's transaction and the events that wait for its end."""

    __slots__ = ("_calls", "_core", "_transaction")

    def __init__(self, core: Core, transaction: object) -> None:
        self._core = core
        self._transaction = transaction
        self._calls: list[CallEvents] = []

    def check(self) -> None:
        """Raise `InvalidInput` at once for a transaction that is none of this store's."""
        with self.bound():
            pass

    @contextmanager
    def bound(self) -> Generator[tuple[Backend, CallEvents]]:
        """For one call: the backend inside the transaction as it is now, savepoints
        included, and where to keep what the call has to tell."""
        events = CallEvents(self._core)
        backend = self._core.backend
        try:
            inside = backend.bound(backend.hooks["bound"](self._transaction, events.ended))
        except CoatcheckError:
            raise
        except Exception as error:
            failure = failures.of_hook("bound", error)
            raise failure from error
        self._calls = [call for call in self._calls if not call.over]
        self._calls.append(events)
        try:
            yield inside, events
        finally:
            if events.is_empty:
                self._calls.remove(events)

    def take(self) -> list[Told]:
        """All that waits, in the order in which it happened."""
        calls, self._calls = self._calls, []
        return [told for call in calls for told in call.take()]
