"""A user's own engine on the manager's file, and transactions by either way of SQLAlchemy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.orm import Session as OrmSession

from failing_stores import Listener
from sqlite_files import Place

WAYS = ("connection", "session")


class Desk:
    """A manager with a listener, and an engine of the user's with a table of the user's."""

    def __init__(self, place: Place, face: str, way: str, *, eager: bool = False) -> None:
        self.place, self.way = place, way
        self.listener = Listener()
        self.sessions = place.open(face, plugins=[self.listener])
        self.witness = place.open()
        self.engine = self.new_engine(eager=eager)
        place.sql("CREATE TABLE note (text TEXT)")

    def new_engine(self, *, eager: bool = False, **options: Any) -> Engine:
        """SQLAlchemy's engine as it comes, or `eager`, with the recipe that sends BEGIN itself."""
        engine = create_engine(f"sqlite:///{self.place.path}", **options)
        if eager:
            event.listen(engine, "connect", _leave_transactions_alone)
            event.listen(engine, "begin", lambda c: c.exec_driver_sql("BEGIN"))
        self.place.rooms.callback(engine.dispose)
        return engine

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """A transaction of the user's, for the user to commit or roll back; else it is closed."""
        if self.way == "connection":
            with self.engine.connect() as connection:
                connection.begin()
                yield connection
        else:
            with OrmSession(self.engine) as session:
                yield session

    def within(self, transaction: Any) -> Any:
        return self.place.within(self.sessions, transaction)

    def note(self, transaction: Any, words: str) -> None:
        """A statement of the user's own."""
        transaction.execute(text("INSERT INTO note VALUES (:words)"), {"words": words})

    def notes(self) -> list[str]:
        """What another connection sees of them."""
        return [words for (words,) in self.place.sql("SELECT text FROM note ORDER BY rowid")]

    def committed(self, bound: Any) -> None:
        """After a commit: what a `Connection` needs, and does a `Session` no harm."""
        bound.committed()

    @property
    def told(self) -> list[str]:
        """The events since the last look, but those that ask before."""
        return [event for event, *_ in self.listener.take() if event != "session_issuing"]


def _leave_transactions_alone(driver: Any, _: object) -> None:
    driver.isolation_level = None
