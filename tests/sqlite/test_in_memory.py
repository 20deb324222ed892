"""A database in memory: opened once, used from any thread, closed, and not a child's."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator

import pytest

from children import in_child
from coatcheck import BackendUnavailable, SchemaMissing
from coatcheck_backends.sqlite.in_memory import MemoryStore

COUNT = "SELECT count(*) FROM note"
NOT_OPEN = "the database in memory is not open"


def make(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE note (words TEXT)")


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    store = MemoryStore()
    store.open(make)
    yield store
    store.close()


def test_it_must_be_made_before_it_is_asked() -> None:
    store = MemoryStore()
    with pytest.raises(SchemaMissing, match="must be prepared"):
        store.open(None)
    with pytest.raises(BackendUnavailable, match=NOT_OPEN):
        store.read("SELECT 1", ())


def test_to_open_it_again_loses_nothing(store: MemoryStore) -> None:
    store.write("INSERT INTO note VALUES ('kept')", ())
    for again in (make, None):
        store.open(again)
        assert store.read(COUNT, ()) == [(1,)]


def test_every_thread_may_use_it(store: MemoryStore) -> None:
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(store.read(COUNT, ())))
    thread.start()
    thread.join()
    assert found == [[(0,)]]


def test_closed_it_is_gone_and_so_is_its_connection() -> None:
    store, made = MemoryStore(), list[sqlite3.Connection]()
    store.open(made.append)
    for _ in range(2):
        store.close()
        with pytest.raises(BackendUnavailable, match=NOT_OPEN):
            store.read("SELECT 1", ())
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        made[0].execute("SELECT 1")


def test_an_error_of_the_drivers_is_translated(store: MemoryStore) -> None:
    with pytest.raises(SchemaMissing) as raised:
        store.read("SELECT * FROM nowhere", ())
    assert isinstance(raised.value.__cause__, sqlite3.OperationalError)


def test_before_a_fork_a_running_statement_is_waited_for_until_the_deadline(
    store: MemoryStore,
) -> None:
    [held] = store.pause(time.monotonic() + 5)
    began = time.monotonic()
    assert store.pause(began - 1) == []
    assert store.pause(time.monotonic() + 0.05) == []
    assert 0.05 <= time.monotonic() - began < 0.9
    held.release()


def test_a_child_has_none_and_makes_none(store: MemoryStore) -> None:
    def asked() -> str:
        store.open(make)
        with pytest.raises(BackendUnavailable) as raised:
            store.read(COUNT, ())
        return str(raised.value)

    assert in_child(asked) == "sqlite: a database in memory does not survive a fork"
    assert store.read(COUNT, ()) == [(0,)]
