"""Harnesses over the backends in memory and on a file, good or broken."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from coatcheck import Secret
from coatcheck_backends import sqlite
from coatcheck_backends.memory import MemoryBackend
from coatcheck_conformance import Face, Harness, Transaction
from coatcheck_conformance.relay import relay_over


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
        return list(self.backend._records.values())

    def corrupt(self, session_id: UUID) -> None:
        row = self.backend._records[session_id]
        self.backend._records[session_id] = row._replace(metadata=b"\0")  # type: ignore[arg-type]


def required_only(_: Path) -> Harness:
    """The memory backend without its optional hooks, which the core then composes."""
    return InMemory(required_only=True)


class OnFile(Harness):
    """The SQLite backend on a file of the directory.

    :param spoil: what is done to each backend that is opened.
    """

    def __init__(self, directory: Path, spoil: Callable[[Any], Any] = lambda good: good) -> None:
        self.path = directory / "sessions.db"
        self.url = f"sqlite:///{self.path}"
        self._spoil = spoil

    def open(self) -> object:
        return self._spoil(sqlite.open_backend(Secret(self.url)))

    @cached_property
    def _behind(self) -> sqlite3.Connection:
        """A connection behind everybody's back."""
        return sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)

    def reset(self) -> None:
        self._behind.execute("DELETE FROM coatcheck_session")

    def rows(self) -> Iterable[object]:
        return self._behind.execute("SELECT * FROM coatcheck_session").fetchall()

    def second_process(self) -> str:
        return self.url

    def transactions(self, face: Face) -> Iterable[str]:
        return ("session", "connection")

    @cached_property
    def _engine(self) -> Engine:
        return create_engine(self.url)

    @contextmanager
    def transaction(
        self, kind: str, face: Face, wait: Callable[[Any], Any]
    ) -> Iterator[Transaction]:
        if kind == "session":
            with Session(self._engine) as session:
                yield Transaction(
                    session, session.commit, session.rollback, session.begin_nested, tells=True
                )
        else:
            with self._engine.connect() as connection:
                begun = connection.begin()
                yield Transaction(connection, begun.commit, begun.rollback, connection.begin_nested)

    def close(self) -> None:
        if "_engine" in vars(self):
            self._engine.dispose()
        if "_behind" in vars(self):
            self._behind.close()
