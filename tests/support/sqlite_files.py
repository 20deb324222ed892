"""A SQLite file of a test's own: managers of either kind over it, and a look from outside."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from coatcheck import AsyncSessionManager, BackendError, Rejection, Secret, Session, SessionManager
from coatcheck_conformance.faces import BlockingManager
from workers import Worker

PEPPER = "the pepper of these tests, which is of more than thirty-two bytes"
OLD_PEPPER = "last year's pepper of these tests, of more than thirty-two bytes"
FACES = ("sync", "async")
SLACK = 0.5
"""Seconds that a call may take past its deadline."""


class Place:
    """One database file, and whatever works on it; `close` ends all of that."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "sessions.db"
        self.url = f"sqlite:///{self.path}"
        self.rooms = ExitStack()

    @cached_property
    def runner(self) -> asyncio.Runner:
        """The event loop of the asynchronous managers."""
        return self.rooms.enter_context(asyncio.Runner())

    def open(self, face: str = "sync", query: str = "", **options: Any) -> Any:
        """A manager with these options, prepared; an asynchronous one behind a blocking face."""
        chosen: dict[str, Any] = {"pepper": PEPPER, **options}
        if face == "sync":
            manager: Any = SessionManager.open(self.url + query, **chosen)
        else:
            manager = self.blocking(AsyncSessionManager.open(self.url + query, **chosen))
            manager.start()
        self.rooms.callback(manager.close)
        return manager

    def over(self, backend: object, face: str = "sync", **options: Any) -> Any:
        """A manager over a backend in hand."""
        chosen: dict[str, Any] = {"pepper": PEPPER, **options}
        if face == "sync":
            manager: Any = SessionManager(backend, **chosen)
        else:
            manager = self.blocking(AsyncSessionManager(backend, **chosen))
            manager.start()
        self.rooms.callback(manager.close)
        return manager

    def backend(self) -> Any:
        """The backend by itself."""
        from coatcheck_backends import sqlite

        return sqlite.open_backend(Secret(self.url))

    def blocking(self, manager: Any) -> Any:
        """An asynchronous manager, bound ones too, with its calls run to their end."""
        return BlockingManager(manager, self.runner)

    def within(self, sessions: Any, transaction: object) -> Any:
        """`sessions.within(transaction)`, blocking either way."""
        bound = sessions.within(transaction)
        return self.blocking(bound) if isinstance(sessions, BlockingManager) else bound

    def worker(self) -> Worker:
        """Another process with a manager over the same file."""
        return self.rooms.enter_context(Worker(self.url, PEPPER))

    def sql(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run a statement behind everybody's back."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            return connection.execute(statement, parameters).fetchall()

    def row(self, session_id: UUID) -> tuple[Any, ...] | None:
        """A stored row as it is."""
        found = self.sql("SELECT * FROM coatcheck_session WHERE id = ?", session_id.bytes)
        return found[0] if found else None

    def set(self, session_id: UUID, column: str, value: object, *, sql: str = "?") -> None:
        """Write anything at all into one column, such as `sql="CAST(? AS TEXT)"`."""
        self.sql(
            f"UPDATE coatcheck_session SET {column} = {sql} WHERE id = ?", value, session_id.bytes
        )

    def files(self) -> list[Path]:
        """The database file, its WAL and its index of that."""
        return sorted(self.path.parent.glob(f"{self.path.name}*"))

    def close(self) -> None:
        """End everything, the last begun first."""
        self.rooms.close()


def verdict(sessions: Any, token: str, **options: Any) -> Session | Rejection | BackendError:
    """What `validate` gives, an error of the store included; anything else is raised."""
    try:
        answer: Session | Rejection = sessions.validate(token, **options)
    except BackendError as error:
        return error
    return answer


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """What happens in here takes no longer."""
    began = time.monotonic()
    yield
    taken = time.monotonic() - began
    assert taken < seconds, f"took {taken:.2f} s, and may take {seconds:.2f} s"


@contextmanager
def failing(
    kinds: type[BaseException] | tuple[type[BaseException], ...], deadline: timedelta
) -> Iterator[Any]:
    """The call in here raises one of these, within the deadline and the slack."""
    with within(deadline / timedelta(seconds=1) + SLACK), pytest.raises(kinds) as raised:
        yield raised


def twenty_operations(sessions: Any) -> None:
    """Five users sign in, are validated, changed and signed out, and every call works."""
    for n in range(5):
        issued = sessions.issue(f"after {n}", method="password")
        assert sessions.validate(issued.token)
        assert sessions.update(issued.session.id, scopes={"read"}).scopes == {"read"}
        assert sessions.revoke(issued.session.id)
        assert not sessions.validate(issued.token)


def writes_of(sessions: Any, session_id: UUID) -> dict[str, Callable[[], object]]:
    """Every call that changes something, by name."""
    return {
        "issue": lambda: sessions.issue("somebody", method="password"),
        "update": lambda: sessions.update(session_id, scopes={"new"}),
        "update_all": lambda: sessions.update_all(user_id="ann", scopes={"new"}),
        "revoke": lambda: sessions.revoke(session_id),
        "revoke_all": lambda: sessions.revoke_all(user_id="ann"),
        "purge": sessions.purge,
    }


def reads_of(sessions: Any, session_id: UUID, token: str) -> dict[str, Callable[[], object]]:
    """Every call that only reads, by name."""
    return {
        "validate": lambda: sessions.validate(token, touch=False),
        "get": lambda: sessions.get(session_id),
        "find": lambda: sessions.find(user_id="ann"),
        "count": lambda: sessions.count(user_id="ann"),
        "pepper_status": sessions.pepper_status,
        "ping": sessions.ping,
    }
