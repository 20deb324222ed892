"""Our own backends, for the conformance suite: what an author writes, with everything it may have.

With `COATCHECK_OWN_SERVERS=1` each server is started for its harness alone, which can then kill
it; else all harnesses of a run share one of each kind, and none of them can.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack
from functools import cached_property
from typing import Any
from uuid import UUID

import psycopg
from bson.codec_options import CodecOptions
from pymongo import MongoClient

import callers
import server_runs
import shared_servers
from async_backend import AsyncBackend
from coatcheck import Record, Secret, Where
from coatcheck_backends import mongodb, postgresql, sqlite
from coatcheck_backends.memory import MemoryBackend
from coatcheck_conformance import Face, Harness, NotShown, Transaction
from plain_backend import PlainBackend
from replica_sets import ReplicaSet
from servers import PostgresServer

OWN_SERVERS = os.environ.get("COATCHECK_OWN_SERVERS") == "1"
EMPTY = "DELETE FROM coatcheck_session"
ROWS = "SELECT * FROM coatcheck_session"


class MemoryHarness(Harness):
    """The dictionary that ships with the package, under both managers."""

    name = "memory"

    def __init__(self) -> None:
        self.backend = MemoryBackend()

    def open(self) -> object:
        return self.backend

    def reset(self) -> None:
        self.backend.delete_where(Where(), frozenset())

    def unprepared(self, face: Face) -> object:
        raise NotShown(NOTHING_TO_PREPARE)

    def rows(self) -> Iterable[object]:
        return map(tuple, self._stored.values())  # the repr of a record hides its hash

    def corrupt(self, session_id: UUID) -> None:
        self._stored[session_id] = _without_metadata(self._stored[session_id])

    @property
    def _stored(self) -> dict[UUID, Record]:
        return self.backend._records


class PlainHarness(Harness):
    """The required hooks alone, so that the core composes the rest: as functions and as
    coroutine functions."""

    name = "required hooks only"

    def __init__(self) -> None:
        self.store = PlainBackend()

    def open(self) -> object:
        return self.store

    def open_async(self) -> object:
        return AsyncBackend(self.store)

    def reset(self) -> None:
        self.store.rows.clear()

    def unprepared(self, face: Face) -> object:
        raise NotShown(NOTHING_TO_PREPARE)

    def rows(self) -> Iterable[object]:
        return map(tuple, self.store.rows.values())

    def corrupt(self, session_id: UUID) -> None:
        self.store.rows[session_id] = _without_metadata(self.store.rows[session_id])


def _without_metadata(record: Record) -> Record:
    return record._replace(metadata=None)  # type: ignore[arg-type]


class SQLiteHarness(Harness):
    """A file, and somebody else's connection to it."""

    name = "sqlite"

    def __init__(self) -> None:
        self.path = server_runs.current().new_directory("sqlite") / "sessions.db"
        self.url = f"sqlite:///{self.path}"

    def open(self) -> object:
        return sqlite.open_backend(Secret(self.url))

    def unprepared(self, face: Face) -> object:
        path = server_runs.current().new_directory("sqlite") / "new.db"
        return sqlite.open_backend(Secret(f"sqlite:///{path}"))

    @cached_property
    def _raw(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None)
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    def reset(self) -> None:
        self._raw.execute(EMPTY)

    def rows(self) -> Iterable[object]:
        return self._raw.execute(ROWS).fetchall()

    def corrupt(self, session_id: UUID) -> None:
        damage = "UPDATE coatcheck_session SET metadata = CAST(x'ff' AS TEXT) WHERE id = ?"
        self._raw.execute(damage, [session_id.bytes])

    def crash(self) -> None:
        raise NotShown("the store has no process of its own; those who write to it are killed")

    def second_process(self) -> str:
        return self.url

    def transactions(self, face: Face) -> Iterable[str]:
        return callers.WAYS

    def transaction(
        self, kind: str, face: Face, wait: Callable[[Any], Any]
    ) -> AbstractContextManager[Transaction]:
        return callers.of_engine(self._engine, kind)

    @cached_property
    def _engine(self) -> Any:
        return callers.engine(self.url)

    def close(self) -> None:
        self._raw.close()


class PostgresHarness(Harness):
    """A database on PostgreSQL: psycopg in both managers."""

    name = "postgresql"
    driver = "psycopg"

    def __init__(self) -> None:
        self._rooms = ExitStack()
        self._server = self._rooms.enter_context(PostgresServer()) if OWN_SERVERS else None
        self._at = self._server.url if self._server else shared_servers.postgresql()
        self.url = self._rooms.enter_context(shared_servers.postgresql_database(self._at))
        self._connect()

    def _connect(self) -> None:
        self._raw = psycopg.connect(self.url, autocommit=True)
        self._raw.execute("SET synchronous_commit = off")

    def open(self) -> object:
        return postgresql.open_backend(Secret(self.url))

    def open_async(self) -> object:
        return postgresql.open_async_backend(Secret(self._with_driver(self.url)))

    def unprepared(self, face: Face) -> object:
        url = self._rooms.enter_context(shared_servers.postgresql_database(self._at))
        if face is Face.SYNC:
            return postgresql.open_backend(Secret(url))
        return postgresql.open_async_backend(Secret(self._with_driver(url)))

    def _with_driver(self, url: str) -> str:
        return url.replace("postgresql:", f"postgresql+{self.driver}:", 1)

    def reset(self) -> None:
        self._raw.execute(EMPTY)

    def rows(self) -> Iterable[object]:
        return self._raw.execute(ROWS).fetchall()

    def corrupt(self, session_id: UUID) -> None:
        # The server takes only good text and numbers; a set of scopes has one spelling of ours.
        damage = "UPDATE coatcheck_session SET scopes = 'twice twice' WHERE id = %s"
        self._raw.execute(damage, [session_id])

    def crash(self) -> None:
        if self._server is None:
            raise NotShown(NOT_OURS)
        self._server.kill()
        self._server.start()
        self._raw.close()
        self._connect()

    def second_process(self) -> str:
        return self.url

    def transactions(self, face: Face) -> Iterable[str]:
        return callers.WAYS

    def transaction(
        self, kind: str, face: Face, wait: Callable[[Any], Any]
    ) -> AbstractContextManager[Transaction]:
        if face is Face.SYNC:
            return callers.of_engine(self._engine, kind)
        return callers.of_async_engine(self._with_driver(self.url), kind, wait)

    @cached_property
    def _engine(self) -> Any:
        return callers.engine(self._with_driver(self.url))

    def close(self) -> None:
        self._raw.close()
        self._rooms.close()


class AsyncpgHarness(PostgresHarness):
    """The same by asyncpg, which has the asynchronous manager alone."""

    name = "asyncpg"
    driver = "asyncpg"


class MongoHarness(Harness):
    """A database on a replica set of one member, which has transactions."""

    name = "mongodb"

    def __init__(self) -> None:
        self._rooms = ExitStack()
        self._server = self._rooms.enter_context(ReplicaSet(size=1)) if OWN_SERVERS else None
        self._at = self._server.url if self._server else shared_servers.quick_replica_set()
        self.url = self._rooms.enter_context(shared_servers.mongodb_database(self._at))
        self._plain_url = self.url
        self._client = self._rooms.enter_context(MongoClient[dict[str, Any]](self.url))
        codec: CodecOptions[dict[str, Any]] = CodecOptions(uuid_representation=4)
        database = self._client.get_default_database()
        self._raw = database.get_collection("coatcheck_session", codec_options=codec)

    def open(self) -> object:
        return mongodb.open_backend(Secret(self.url))

    def open_async(self) -> object:
        return mongodb.open_async_backend(Secret(self.url))

    def unprepared(self, face: Face) -> object:
        url = self._rooms.enter_context(shared_servers.mongodb_database(self._at))
        opener = mongodb.open_backend if face is Face.SYNC else mongodb.open_async_backend
        return opener(Secret(url))

    def reset(self) -> None:
        self._raw.delete_many({})

    def rows(self) -> Iterable[object]:
        return self._raw.find().to_list()

    def corrupt(self, session_id: UUID) -> None:
        self._raw.update_one({"_id": session_id}, {"$set": {"metadata": 7}})

    def crash(self) -> None:
        if self._server is None:
            raise NotShown(NOT_OURS)
        self._server.kill()
        self._server.start()

    def second_process(self) -> str:
        return self.url

    def transactions(self, face: Face) -> Iterable[str]:
        return ("client session",)

    def transaction(
        self, kind: str, face: Face, wait: Callable[[Any], Any]
    ) -> AbstractContextManager[Transaction]:
        if face is Face.SYNC:
            return callers.of_client(self._client)
        return callers.of_async_client(self._plain_url, wait)

    def close(self) -> None:
        self._rooms.close()


class StrictMongoHarness(MongoHarness):
    """The same with linearizable reads, of which alone the suite expects linearizable histories."""

    name = "mongodb, strict"

    def __init__(self) -> None:
        super().__init__()
        self.url = shared_servers.with_options(self.url, strict="true")


NOTHING_TO_PREPARE = "a dictionary has nothing to prepare"
NOT_OURS = "the server is shared with other tests; `nox -s conformance` has one to kill"

OURS = (MemoryHarness, PlainHarness, SQLiteHarness, PostgresHarness, AsyncpgHarness, MongoHarness)


def faces_of(harness: type[Harness]) -> tuple[Face, ...]:
    """Under which managers it is tried."""
    return (Face.ASYNC,) if harness is AsyncpgHarness else tuple(Face)
