"""A PostgreSQL schema of a test's own: managers of every kind in it, and a look from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import psycopg
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from coatcheck import AsyncSessionManager, Secret, SessionManager
from coatcheck_backends.sql.tables import HEAD, Names, Sessions
from coatcheck_conformance.faces import BlockingManager, blocking
from shared_servers import new_name, with_options
from workers import Worker

PEPPER = "the pepper of these tests, which is of more than thirty-two bytes"
OLD_PEPPER = "last year's pepper of these tests, of more than thirty-two bytes"
FACES = ("psycopg", "async psycopg", "asyncpg")
"""The synchronous manager, and the asynchronous one on either driver."""
ASYNC_FACES = FACES[1:]


class Place:
    """One schema of a database, and whatever works in it; `close` ends all of that.

    :param database: the URL of the database.
    :param prepared: with the tables, as the migrations make them; in a tenth of the time.
    """

    def __init__(self, database: str, *, prepared: bool = True) -> None:
        self.database = database
        self.schema = new_name()
        self.url = with_options(database, schema=self.schema)
        self.rooms = ExitStack()
        if prepared:
            self._make_tables()

    def _make_tables(self) -> None:
        table = Sessions(Names(schema=self.schema)).table
        dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
        made = [CreateTable(table), *map(CreateIndex, sorted(table.indexes, key=str))]
        lines = [f"CREATE SCHEMA {self.schema}", *(str(m.compile(dialect=dialect)) for m in made)]
        lines.append("CREATE TABLE coatcheck_version (version_num VARCHAR(32) PRIMARY KEY)")
        lines.append(f"INSERT INTO coatcheck_version VALUES ('{HEAD}')")
        self.sql(";".join(lines))

    @cached_property
    def runner(self) -> asyncio.Runner:
        """The event loop of the asynchronous managers."""
        return self.rooms.enter_context(asyncio.Runner())

    def url_for(self, face: str, **query: str) -> str:
        """The URL with the driver of a face, and with these options."""
        url = with_options(self.url, **query) if query else self.url
        return url.replace("postgresql:", "postgresql+asyncpg:", 1) if face == "asyncpg" else url

    def manager(self, face: str, query: dict[str, str] | None = None, **options: Any) -> Any:
        """A manager with these options, not yet started if it is an asynchronous one."""
        kind = SessionManager if face == "psycopg" else AsyncSessionManager
        return kind.open(self.url_for(face, **(query or {})), **{"pepper": PEPPER, **options})

    def open(
        self, face: str = "psycopg", query: dict[str, str] | None = None, **options: Any
    ) -> Any:
        """A manager with these options, prepared; an asynchronous one behind a blocking face."""
        manager = self.manager(face, query, **options)
        if face != "psycopg":
            manager = self.blocking(manager)
            manager.start()
        self.rooms.callback(manager.close)
        return manager

    def over(self, backend: Any, face: str = "psycopg", **options: Any) -> Any:
        """A manager over a backend in hand."""
        chosen: dict[str, Any] = {"pepper": PEPPER, **options}
        if face == "psycopg":
            manager: Any = SessionManager(backend, **chosen)
        else:
            manager = self.blocking(AsyncSessionManager(backend.backend, **chosen))
            manager.start()
        self.rooms.callback(manager.close)
        return manager

    def backend(self, face: str = "psycopg", **query: str) -> Any:
        """The backend by itself, with its hooks run to their end."""
        from coatcheck_backends import postgresql as ours

        url = Secret(self.url_for(face, **query))
        if face == "psycopg":
            backend: Any = ours.open_backend(url)
        else:
            backend = BlockingBackend(ours.open_async_backend(url), self.runner)
        self.rooms.callback(backend.close)
        return backend

    def blocking(self, manager: Any) -> Any:
        """An asynchronous manager, bound ones too, with its calls run to their end."""
        return BlockingManager(manager, self.runner)

    def within(self, sessions: Any, transaction: object) -> Any:
        """`sessions.within(transaction)`, blocking either way."""
        bound = sessions.within(getattr(transaction, "awaited", transaction))
        return self.blocking(bound) if isinstance(sessions, BlockingManager) else bound

    def new_role(self, attributes: str = "", *, superuser: bool = False) -> str:
        """A role of its own, whom all managers that are opened from here on work as.

        :param attributes: what `ALTER ROLE` is to say of it.
        """
        name = f"role_of_{self.schema}"
        kind = "SUPERUSER" if superuser else "NOSUPERUSER"
        self.sql(f"CREATE ROLE {name} LOGIN {kind} PASSWORD '{name}'")
        self.rooms.callback(self.sql, f"DROP OWNED BY {name}; DROP ROLE {name}")
        if attributes:
            self.sql(f"ALTER ROLE {name} {attributes}")
        parts = urlsplit(self.url)
        host = parts.netloc.rpartition("@")[2]
        self.url = parts._replace(netloc=f"{name}:{name}@{host}").geturl()
        return name

    def worker(self) -> Worker:
        """Another process with a manager in the same schema."""
        return self.rooms.enter_context(Worker(self.url, PEPPER))

    def connect(self, **options: Any) -> psycopg.Connection[tuple[Any, ...]]:
        """Somebody else's connection, which finds the schema by itself."""
        path = f"-c search_path={self.schema}"
        return self.rooms.enter_context(psycopg.connect(self.database, options=path, **options))

    @cached_property
    def _behind(self) -> psycopg.Connection[tuple[Any, ...]]:
        return self.connect(autocommit=True)

    def sql(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run a statement behind everybody's back."""
        cursor = self._behind.execute(statement, parameters or None)  # type: ignore[arg-type]
        return cursor.fetchall() if cursor.description else []

    def row(self, session_id: Any) -> dict[str, Any] | None:
        """A stored row as it is."""
        found = self.sql("SELECT to_jsonb(s) FROM coatcheck_session s WHERE id = %s", session_id)
        return found[0][0] if found else None

    def connections_of_ours(self) -> list[int]:
        """The server's processes that serve coatcheck in this database."""
        return [pid for (pid,) in self.sql(
            "SELECT pid FROM pg_stat_activity"
            " WHERE application_name = 'coatcheck' AND datname = current_database()"
        )]  # fmt: skip

    def cut_all(self) -> int:
        """End them all, as an operator might, and say how many there were."""
        pids = self.connections_of_ours()
        for pid in pids:
            self.sql("SELECT pg_terminate_backend(%s, 5000)", pid)
        return len(pids)

    def close(self) -> None:
        """End everything, the last begun first."""
        self.rooms.close()


class BlockingBackend:
    """The hooks of an asynchronous backend, each run to its end."""

    def __init__(self, backend: Any, runner: asyncio.Runner) -> None:
        self.backend = backend
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        return blocking(getattr(self.backend, name), self._runner)


@contextmanager
def new_place(database: str, *, prepared: bool = True) -> Iterator[Place]:
    """A place for as long as it is needed. The database goes as a whole, and the schema with it."""
    place = Place(database, prepared=prepared)
    try:
        yield place
    finally:
        place.close()
