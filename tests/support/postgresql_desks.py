"""A user's own engine on the manager's database, and transactions by every way of SQLAlchemy."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import isawaitable
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from postgresql_places import Place
from transactions import Desk as SyncDesk


class Desk(SyncDesk):
    """The same on PostgreSQL; of an asynchronous manager with SQLAlchemy's asyncio extension,
    behind a blocking face."""

    def __init__(self, place: Place, face: str, way: str) -> None:
        self.face = face
        super().__init__(place, face, way)  # type: ignore[arg-type]
        place.sql("ALTER TABLE note ADD COLUMN number BIGSERIAL")

    def new_engine(self, *, eager: bool = False, database: str = "", **options: Any) -> Any:
        """An engine on this driver, or on another database."""
        place: Any = self.place
        return new_engine(place, self.face, database or place.database, **options)

    @contextmanager
    def transaction(self, engine: Any = None) -> Iterator[Any]:
        engine = self.engine if engine is None else engine
        if self.face == "psycopg":
            with SyncDesk.transaction(self) as transaction:
                yield transaction
            return
        with Blocking(self._begun(engine), self.place.runner) as transaction:
            if self.way == "connection":
                transaction.begin()
            yield transaction

    def _begun(self, engine: Any) -> Any:
        return engine.connect() if self.way == "connection" else AsyncSession(engine)

    def notes(self) -> list[str]:
        return [words for (words,) in self.place.sql("SELECT text FROM note ORDER BY number")]


def new_engine(place: Place, face: str, database: str, **options: Any) -> Any:
    """An engine of the user's, whose connections find the schema by themselves."""
    driver = "asyncpg" if face == "asyncpg" else "psycopg"
    url = database.replace("postgresql:", f"postgresql+{driver}:", 1)
    if face == "asyncpg":
        options["connect_args"] = {"server_settings": {"search_path": place.schema}}
    else:
        options["connect_args"] = {"options": f"-c search_path={place.schema}"}
    if face == "psycopg":
        engine: Any = create_engine(url, **options)
        place.rooms.callback(engine.dispose)
    else:
        engine = create_async_engine(url, **options)
        runner = place.runner
        place.rooms.callback(lambda: runner.run(engine.dispose()))
    return engine


class Blocking:
    """An `AsyncConnection`, an `AsyncSession` or what they began, each call run to its end."""

    def __init__(self, awaited: Any, runner: asyncio.Runner) -> None:
        self.awaited = awaited
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.awaited, name)
        if not callable(found):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            answer = found(*args, **kwargs)
            if isawaitable(answer):
                answer = self._ended(answer)
            return Blocking(answer, self._runner) if hasattr(answer, "rollback") else answer

        return call

    def _ended(self, answer: Any) -> Any:
        async def wait() -> Any:
            return await answer

        return self._runner.run(wait())

    def __enter__(self) -> Blocking:
        if hasattr(self.awaited, "execute"):  # what it began has begun already
            self._ended(self.awaited.__aenter__())
        return self

    def __exit__(self, *raised: Any) -> None:
        if hasattr(self.awaited, "execute"):
            self._ended(self.awaited.__aexit__(*raised))
        elif self.awaited.is_active:
            self._ended(self.awaited.rollback() if raised[0] else self.awaited.commit())
