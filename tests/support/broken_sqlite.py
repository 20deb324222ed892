"""What is broken around commits: durability, and the caller's own transactions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from coatcheck import Changes, Record, SessionRef, Where
from coatcheck._flows import validate
from coatcheck._managers import transactions
from coatcheck_backends.memory import MemoryBackend
from stores import open_sqlite
from zoo import broken_core, broken_store, broken_subject

_validate = validate.validate

# Law 15


class WriteBehind:
    """Over a good backend: acknowledges some writes, and does them before the next call."""

    def __init__(self, backend: object, late: str) -> None:
        self.backend: Any = backend
        self.late = late
        self.pending: list[Callable[[], object]] = []

    def __getattr__(self, name: str) -> Any:
        hook = getattr(self.backend, name)

        def call(*args: Any) -> Any:
            if name == "close":
                self.pending.clear()
            while self.pending:
                self.pending.pop()()
            return hook(*args)

        return call

    def insert(self, record: Record) -> None:
        self._do("insert", record)

    def update(self, session_id: UUID, changes: Changes, where: Where) -> Record | None:
        record: Record | None = self.load(session_id)
        if record is None or not where.matches(record):
            return None
        self._do("update", session_id, changes, where)
        return record._replace(**changes)

    def delete(self, session_id: UUID, where: Where) -> SessionRef | None:
        record: Record | None = self.load(session_id)
        if record is None or not where.matches(record):
            return None
        self._do("delete", session_id, where)
        return SessionRef(session_id, record.user_id, record.method)

    def _do(self, hook: str, *args: Any) -> None:
        while self.pending:
            self.pending.pop()()
        call = getattr(self.backend, hook)
        if hook == self.late:
            self.pending.append(lambda: call(*args))
        else:
            call(*args)


def open_late_insert(directory: Path) -> object:
    return WriteBehind(open_sqlite(directory), "insert")


def open_late_update(directory: Path) -> object:
    return WriteBehind(open_sqlite(directory), "update")


def open_late_delete(directory: Path) -> object:
    return WriteBehind(open_sqlite(directory), "delete")


for _name, _open in {
    "an issue": open_late_insert,
    "an update": open_late_update,
    "a revocation": open_late_delete,
}.items():
    broken_subject(15, f"{_name} is acknowledged before it is written", open_backend=_open)


@broken_store(15, "prepare begins with nothing")
class Forgetful(MemoryBackend):
    def prepare(self, create: bool) -> None:
        self._records = {}


# Law 17


def open_unbound(directory: Path) -> object:
    """Takes no notice of the transaction that it is bound to."""
    backend: Any = open_sqlite(directory)
    other: Any = open_sqlite(directory)
    close = backend.close
    backend.bound = lambda transaction, ended: other
    backend.close = lambda: (other.close(), close())
    return backend


def open_deaf(directory: Path) -> object:
    """Never says how a transaction ended."""
    backend: Any = open_sqlite(directory)
    bound = backend.bound
    backend.bound = lambda transaction, ended: bound(transaction, lambda committed: None)
    return backend


def open_optimist(directory: Path) -> object:
    """Takes every end of a transaction for a commit."""
    backend: Any = open_sqlite(directory)
    bound = backend.bound
    backend.bound = lambda transaction, ended: bound(transaction, lambda committed: ended(True))
    return backend


broken_subject(17, "the transaction is ignored", open_backend=open_unbound)
broken_subject(17, "nobody is told after a commit", open_backend=open_deaf)
broken_subject(17, "observers are told after a rollback", open_backend=open_optimist)


@broken_core(17, "observers are told at once", "coatcheck._managers.transactions.CallEvents.add",
             open_backend=open_sqlite)  # fmt: skip
def _told_at_once(events: Any, step: Any) -> None:
    for observer in events._core.observers[step.event]:
        transactions.tell(step.event, (observer,), step.args)


@broken_core(17, "observers are told twice", "coatcheck._managers.transactions.CallEvents.add",
             open_backend=open_sqlite)  # fmt: skip
def _told_twice(events: Any, step: Any) -> None:
    for observer in events._core.observers[step.event]:
        events._waiting += [(step.event, observer, step.args)] * 2


@broken_core(17, "a validation in a transaction writes", "coatcheck._flows.validate.validate",
             open_backend=open_sqlite)  # fmt: skip
def _writes_inside(core: Any, now: int, token: Any, touch: bool) -> Any:
    return (yield from _validate(_outside(core), now, token, touch))


def _outside(core: Any) -> Any:
    from coatcheck._flows.steps import Core

    return Core(core.config, core.backend, core.observers)
