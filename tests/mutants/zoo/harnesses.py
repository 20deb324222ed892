"""Harnesses over the backends in memory and on a file, good or broken."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from coatcheck_backends.memory import MemoryBackend
from coatcheck_conformance import Harness
from coatcheck_conformance.relay import relay_over
from harnesses import SQLiteHarness


class InMemory(Harness):
    """A backend in memory; one object is the store and every opening of it.

    :param required_only: its optional hooks are not shown.
    """

    def __init__(
        self, backend: MemoryBackend | None = None, *, required_only: bool = False
    ) -> None:
        self.backend = backend or MemoryBackend()
        self._required_only = required_only

    def open(self) -> object:
        return relay_over(self.backend, required_only=True) if self._required_only else self.backend

    def reset(self) -> None:
        self.backend._records.clear()  # even where its own hooks are broken

    def rows(self) -> Iterable[object]:
        return map(tuple, self.backend._records.values())  # the repr of a record hides its hash

    def corrupt(self, session_id: UUID) -> None:
        row = self.backend._records[session_id]
        self.backend._records[session_id] = row._replace(metadata=b"\0")  # type: ignore[arg-type]


def required_only() -> Harness:
    """The memory backend without its optional hooks, which the core then composes."""
    return InMemory(required_only=True)


class OnFile(SQLiteHarness):
    """The SQLite backend.

    :param spoil: what is done to each backend that is opened.
    """

    def __init__(self, spoil: Callable[[Any], Any] = lambda good: good) -> None:
        super().__init__()
        self._spoil = spoil

    def open(self) -> object:
        return self._spoil(super().open())
