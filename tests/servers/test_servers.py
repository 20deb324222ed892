"""The servers that tests are given do what their tests take for granted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pymongo import MongoClient, WriteConcern
from pymongo.errors import OperationFailure, PyMongoError

import server_runs
import servers
import shared_servers
from replica_sets import ReplicaSet, ask
from servers import MongoServer, PostgresServer, ServerMissing


@pytest.fixture
def postgresql() -> Iterator[PostgresServer]:
    with PostgresServer({"max_connections": 7}) as server:
        yield server


@pytest.fixture
def mongod() -> Iterator[MongoServer]:
    with MongoServer({"enableTestCommands": 1}) as server:
        yield server


def _sql(server: PostgresServer, statement: str) -> Any:
    with closing(psycopg.connect(server.url, autocommit=True, connect_timeout=2)) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchone() if cursor.description else None


def _client(url: str) -> MongoClient[dict[str, Any]]:
    return MongoClient(url, serverSelectionTimeoutMS=500, socketTimeoutMS=500)


def test_postgresql_has_its_settings_and_utf8(postgresql: PostgresServer) -> None:
    assert _sql(postgresql, "SHOW max_connections") == ("7",)
    assert _sql(postgresql, "SHOW fsync") == ("on",)
    assert _sql(postgresql, "SHOW server_encoding") == ("UTF8",)


@pytest.mark.parametrize("end", ["kill", "stop", "stop_at_once"])
def test_postgresql_comes_back_on_its_port_with_all_that_was_committed(
    postgresql: PostgresServer, end: str
) -> None:
    url = postgresql.url
    _sql(postgresql, "CREATE TABLE note AS SELECT 'kept' AS text")
    getattr(postgresql, end)()
    assert postgresql.processes == []
    with pytest.raises(psycopg.OperationalError):
        _sql(postgresql, "SELECT 1")
    postgresql.start()
    assert postgresql.url == url
    assert _sql(postgresql, "SELECT text FROM note") == ("kept",)


def test_a_frozen_postgresql_answers_nobody_until_it_thaws(postgresql: PostgresServer) -> None:
    before = postgresql.processes
    assert len(before) > 1, "the server and its children"
    postgresql.freeze()
    with pytest.raises(psycopg.OperationalError):
        _sql(postgresql, "SELECT 1")
    postgresql.thaw()
    assert _sql(postgresql, "SELECT 1") == (1,)
    postgresql.freeze()
    postgresql.kill()
    assert not any(Path(f"/proc/{pid}/exe").exists() for pid in before)


def test_a_mongod_has_its_parameters_and_comes_back(mongod: MongoServer) -> None:
    mode = {"times": 1}
    data = {"failCommands": ["find"], "errorCode": 2}
    with _client(mongod.url) as client:
        journaled = client.test.get_collection("note", write_concern=WriteConcern(j=True))
        journaled.insert_one({"text": "kept"})
        client.admin.command("configureFailPoint", "failCommand", mode=mode, data=data)
        with pytest.raises(OperationFailure):
            client.test.note.find_one()
    mongod.kill()
    assert mongod.processes == []
    mongod.start()
    with _client(mongod.url) as client:
        assert client.test.note.find_one({}, {"_id": 0}) == {"text": "kept"}


def test_a_frozen_mongod_answers_nobody_until_it_thaws(mongod: MongoServer) -> None:
    mongod.freeze()
    with _client(mongod.url) as client:
        with pytest.raises(PyMongoError):
            client.admin.command("ping")
        mongod.thaw()
        assert client.admin.command("ping")["ok"]


def test_a_replica_set_loses_its_primary_and_gets_it_back() -> None:
    with ReplicaSet() as replica_set:
        first = replica_set.primary
        first.kill()
        second = replica_set.primary
        assert second is not first
        with MongoClient[dict[str, Any]](replica_set.url) as client:
            everyone = WriteConcern(w=3, wtimeout=10_000)
            notes = client.test.get_collection("note", write_concern=everyone)
            replica_set.start()
            notes.insert_one({"text": "kept"})
        replica_set.step_down()
        assert replica_set.primary is not second
        assert len(replica_set.processes) == 3


def test_one_member_has_transactions_and_linearizable_reads() -> None:
    with ReplicaSet(size=1) as replica_set:
        hello = ask(replica_set.primary, "hello")
        assert hello["setName"] == "rs0"
        assert hello["hosts"] == [f"127.0.0.1:{replica_set.members[0].port}"]


def test_nothing_is_left_of_a_server_that_was_closed() -> None:
    with MongoServer() as server:
        [pid] = server.processes
    assert not server.directory.exists()
    assert not Path(f"/proc/{pid}/exe").exists()


def test_a_server_that_does_not_start_says_why() -> None:
    server = PostgresServer({"no_such_setting": 1})
    with pytest.raises(RuntimeError, match="no_such_setting"):
        server.start()
    server.close()


def test_programs_that_their_user_cannot_read_are_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_runs, "_joined", [server_runs.Run.begin()])
    monkeypatch.setattr(servers, "_is_open_to_all", lambda _: False)
    with PostgresServer() as server:
        assert ("copied" in server.binaries.parts) is (os.geteuid() == 0)
        assert _sql(server, "SELECT 1") == (1,)


@pytest.mark.parametrize("program", [servers.postgresql_binaries, servers.mongod_binary])
def test_a_missing_server_is_one_line_that_says_what_to_do(
    program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ServerMissing, match=r"group `tests`.*COATCHECK_TEST_\w+_URL") as caught:
        program()
    assert "\n" not in str(caught.value)


def test_servers_of_ones_own_are_used_where_they_are_named(
    monkeypatch: pytest.MonkeyPatch, quick_replica_set_url: str, mongodb_url: str
) -> None:
    monkeypatch.setenv("COATCHECK_TEST_POSTGRESQL_URL", "postgresql://db.example/mine")
    assert shared_servers.postgresql() == "postgresql://db.example/mine"
    own = quick_replica_set_url
    monkeypatch.setenv("COATCHECK_TEST_MONGODB_URL", own)
    assert shared_servers.mongodb() == own
    assert shared_servers.replica_set() == shared_servers.quick_replica_set() == own
