"""What is broken around the caller's own transactions."""

from __future__ import annotations

from typing import Any

from coatcheck import hookimpl
from coatcheck._flows import validate
from coatcheck._managers import transactions

from .declaring import broken, broken_core
from .harnesses import OnFile

_validate = validate.validate


def _unbound(backend: Any) -> Any:
    """Takes no notice of the transaction that it is bound to."""
    backend.bound = hookimpl(lambda transaction, ended: _Apart(backend))
    return backend


class _Apart:
    """All of a backend's hooks, outside the transaction."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)


def _deaf(backend: Any) -> Any:
    """Never says how a transaction ended."""
    bound = backend.bound
    backend.bound = hookimpl(lambda transaction, ended: bound(transaction, lambda committed: None))
    return backend


def _optimist(backend: Any) -> Any:
    """Takes every end of a transaction for a commit."""
    bound = backend.bound
    told = hookimpl(lambda transaction, ended: bound(transaction, lambda committed: ended(True)))
    backend.bound = told
    return backend


broken("the transaction is ignored", {17}, lambda: OnFile(_unbound))
broken("nobody is told after a commit", {17}, lambda: OnFile(_deaf))
broken("observers are told after a rollback", {17}, lambda: OnFile(_optimist))


@broken_core({17}, "observers are told at once", "coatcheck._managers.transactions.CallEvents.add",
             make=OnFile)  # fmt: skip
def _told_at_once(events: Any, step: Any) -> None:
    for observer in events._core.observers[step.event]:
        transactions.tell(step.event, (observer,), step.args)


@broken_core({17}, "observers are told twice", "coatcheck._managers.transactions.CallEvents.add",
             make=OnFile)  # fmt: skip
def _told_twice(events: Any, step: Any) -> None:
    for observer in events._core.observers[step.event]:
        events._waiting += [(step.event, observer, step.args)] * 2


@broken_core({17}, "a validation in a transaction writes", "coatcheck._flows.validate.validate",
             make=OnFile)  # fmt: skip
def _writes_inside(core: Any, now: int, token: Any, touch: bool) -> Any:
    return (yield from _validate(_outside(core), now, token, touch))


def _outside(core: Any) -> Any:
    from coatcheck._flows.steps import Core

    return Core(core.config, core.backend, core.observers)
