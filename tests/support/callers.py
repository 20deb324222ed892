"""The transactions that a caller may hand to `within`, of every kind that a store has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pymongo import AsyncMongoClient
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from coatcheck_conformance import Transaction

WAYS = ("connection", "session")
"""Those of SQLAlchemy."""

Wait = Callable[[Any], Any]


def engine(url: str) -> Any:
    """A user's own. It keeps no connection, so that nobody has to close it."""
    return create_engine(url, poolclass=NullPool)


@contextmanager
def of_engine(engine: Any, way: str) -> Iterator[Transaction]:
    """A `Session` or a `Connection`."""
    if way == "session":
        with Session(engine) as session:
            yield Transaction(session, session.commit, session.rollback, session.begin_nested, True)
    else:
        with engine.connect() as connection:
            begun = connection.begin()
            yield Transaction(connection, begun.commit, begun.rollback, connection.begin_nested)


@contextmanager
def of_async_engine(url: str, way: str, wait: Wait) -> Iterator[Transaction]:
    """An `AsyncSession` or an `AsyncConnection`."""
    from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

    engine = create_async_engine(url, poolclass=NullPool)
    if way == "session":
        handle: Any = AsyncSession(engine)
        ends: Any = handle
    else:
        handle = engine.connect()
        wait(handle.start())
        ends = wait(handle.begin())
    try:
        yield Transaction(
            handle,
            lambda: wait(ends.commit()),
            lambda: wait(ends.rollback()),
            lambda: _Savepoint(wait(handle.begin_nested()), wait),
            tells=way == "session",
        )
    finally:
        wait(handle.close())


class _Savepoint:
    def __init__(self, savepoint: Any, wait: Wait) -> None:
        self.commit = lambda: wait(savepoint.commit())
        self.rollback = lambda: wait(savepoint.rollback())


@contextmanager
def of_client(client: Any) -> Iterator[Transaction]:
    """A pymongo `ClientSession`."""
    with client.start_session() as session:
        session.start_transaction()
        yield Transaction(session, session.commit_transaction, session.abort_transaction)


@contextmanager
def of_async_client(url: str, wait: Wait) -> Iterator[Transaction]:
    """A pymongo `AsyncClientSession`, of a client of its own: that lives on one loop."""
    client = AsyncMongoClient[dict[str, Any]](url)
    session = client.start_session()
    try:
        wait(session.start_transaction())
        yield Transaction(
            session,
            lambda: wait(session.commit_transaction()),
            lambda: wait(session.abort_transaction()),
        )
    finally:
        wait(session.end_session())
        wait(client.close())
