"""The transactions that a caller may hand to `within`, of every kind that a store has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from coatcheck_conformance.faces import blocking
from stages import Stage
from stores import server_url, sqlite_url


@dataclass
class Transaction:
    """One that has begun; closed without a commit unless that is called.

    :param handle: what is given to `within`.
    :param savepoint: begins one, which can `commit` and `rollback`; `None` where there are none.
    :param tells: a manager learns of its end without being told.
    """

    handle: Any
    commit: Callable[[], object]
    rollback: Callable[[], object]
    savepoint: Callable[[], Any] | None = None
    tells: bool = False


def transaction_on(stage: Stage, kind: str) -> Any:
    """A context with a transaction on the stage's store: of a `session` or of a `connection`
    of SQLAlchemy's, or of MongoDB's only kind."""
    info = stage.backend.info()
    if info.name == "mongodb":
        return _of_client(stage)
    if info.asynchronous:
        return _of_async_engine(stage, kind)
    return _of_engine(stage, kind)


@contextmanager
def _of_engine(stage: Stage, kind: str) -> Iterator[Transaction]:
    engine = stage.remembered("engine", lambda: _engine(stage))
    if kind == "session":
        with Session(engine) as session:
            yield Transaction(session, session.commit, session.rollback, session.begin_nested, True)
    else:
        with engine.connect() as connection:
            begun = connection.begin()
            yield Transaction(connection, begun.commit, begun.rollback, connection.begin_nested)


def _engine(stage: Stage) -> Any:
    is_file = stage.subject.backend != "postgresql"
    engine = create_engine(sqlite_url(stage.directory) if is_file else _url(stage))
    stage.at_close(engine.dispose)
    return engine


def _url(stage: Stage) -> str:
    driver = "asyncpg" if "asyncpg" in str(stage.subject) else "psycopg"
    return server_url(stage.directory).replace("postgresql:", f"postgresql+{driver}:", 1)


@contextmanager
def _of_async_engine(stage: Stage, kind: str) -> Iterator[Transaction]:
    from sqlalchemy.ext.asyncio import AsyncSession

    engine = stage.remembered("engine", lambda: _async_engine(stage))
    if kind == "session":
        handle = session = AsyncSession(engine)
        ends = session
    else:
        handle = connection = engine.connect()
        wait(stage, connection.start())
        ends = wait(stage, connection.begin())
    try:
        yield Transaction(
            handle,
            blocking(ends.commit, stage.runner),
            blocking(ends.rollback, stage.runner),
            lambda: _Savepoint(stage, wait(stage, handle.begin_nested())),
            tells=kind == "session",
        )
    finally:
        wait(stage, handle.close())


def _async_engine(stage: Stage) -> Any:
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine(_url(stage))
    stage.at_close(blocking(engine.dispose, stage.runner))
    return engine


class _Savepoint:
    def __init__(self, stage: Stage, savepoint: Any) -> None:
        self.commit = blocking(savepoint.commit, stage.runner)
        self.rollback = blocking(savepoint.rollback, stage.runner)


def wait(stage: Stage, awaitable: Any) -> Any:
    """What it gives, on the stage's loop."""
    return stage.runner.get_loop().run_until_complete(awaitable)


@contextmanager
def _of_client(stage: Stage) -> Iterator[Transaction]:
    client = stage.remembered("client", lambda: _client(stage))
    session = client.start_session()
    end = blocking(session.end_session, stage.runner)
    try:
        # The asynchronous one, too, begins without a call of the server.
        blocking(session.start_transaction, stage.runner)()
        yield Transaction(
            session,
            blocking(session.commit_transaction, stage.runner),
            blocking(session.abort_transaction, stage.runner),
        )
    finally:
        end()


def _client(stage: Stage) -> Any:
    from pymongo import AsyncMongoClient, MongoClient

    kind: Any = AsyncMongoClient if stage.backend.info().asynchronous else MongoClient
    client = kind(server_url(stage.directory))
    blocking(client.admin.command, stage.runner)("ping")
    stage.at_close(blocking(client.close, stage.runner))
    return client
