"""How long one statement waits, for a lock of the file's and for one of this process."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from coatcheck import BackendUnavailable, WouldBlock
from coatcheck_backends.sqlite import bound, running
from coatcheck_backends.sqlite.running import acquire, run_bounded, run_waiting

INSERT = "INSERT INTO note VALUES ('more')"
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
LONG = f"{ENDLESS.replace('FROM n)', 'FROM n LIMIT 200000)', 1)}"


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[sqlite3.Connection, sqlite3.Connection]]:
    """Two connections to a file, which wait for nothing by themselves."""
    both = [
        sqlite3.connect(tmp_path / "db", timeout=0, isolation_level=None, check_same_thread=False)
        for _ in range(2)
    ]
    both[0].execute("CREATE TABLE note (words TEXT)")
    yield both[0], both[1]
    for each in both:
        each.close()


def left(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """As if the call had so much time left."""
    monkeypatch.setattr(running, "remaining", lambda: seconds)


def patience(connection: sqlite3.Connection) -> int:
    """In milliseconds."""
    [[answer]] = connection.execute("PRAGMA busy_timeout").fetchall()
    return int(answer)


def later(connection: sqlite3.Connection, *statements: str) -> threading.Thread:
    """Run these in a twentieth of a second."""

    def run() -> None:
        time.sleep(0.05)
        for statement in statements:
            connection.execute(statement)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.parametrize("seconds", [0.0, -0.5])
def test_a_call_that_may_not_wait_would_block(two, monkeypatch, seconds: float) -> None:
    first, second = two
    left(monkeypatch, seconds)
    first.execute("BEGIN IMMEDIATE")
    with pytest.raises(WouldBlock):
        run_waiting(second, INSERT)


def test_sqlite_is_told_to_wait_what_is_left_and_afterwards_not_at_all(two) -> None:
    first, second = two
    first.execute("BEGIN IMMEDIATE")
    said: list[str] = []
    second.set_trace_callback(said.append)
    thread = later(first, "COMMIT")
    assert run_waiting(second, INSERT).changed == 1
    thread.join()
    told = [int(words.partition("=")[2]) for words in said if "busy_timeout=" in words]
    assert 4900 < told[0] <= 5000  # outside of a manager's call 5 s are left
    assert told[-1] == patience(second) == 0


def test_another_error_ends_the_waiting_at_once(two) -> None:
    first, second = two
    first.execute("BEGIN IMMEDIATE")
    thread = later(first, "DROP TABLE note", "COMMIT")
    began = time.monotonic()
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        run_waiting(second, INSERT)
    assert time.monotonic() - began < 2.5
    thread.join()


def test_a_long_statement_is_interrupted_at_the_deadline_and_not_before(two, monkeypatch) -> None:
    left(monkeypatch, 0.2)
    began = time.monotonic()
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        run_bounded(two[0], ENDLESS)
    assert 0.2 <= time.monotonic() - began < 2


def test_the_next_statement_knows_nothing_of_that_deadline(two, monkeypatch) -> None:
    left(monkeypatch, 0.01)
    run_bounded(two[0], "SELECT 1")
    time.sleep(0.02)
    assert two[0].execute(LONG).fetchone() == (200_000,)


@pytest.mark.parametrize(
    ("seconds", "kind"), [(0.0, WouldBlock), (-0.5, WouldBlock), (0.05, BackendUnavailable)]
)
def test_a_lock_of_this_process_is_waited_for_until_the_deadline(
    monkeypatch, seconds: float, kind: type[Exception]
) -> None:
    left(monkeypatch, seconds)
    lock = threading.Lock()
    acquire(lock)
    began = time.monotonic()
    with pytest.raises(kind):
        acquire(lock)
    assert max(seconds, 0) <= time.monotonic() - began < 1


@pytest.mark.parametrize(("own", "within"), [(0, 0), (100, 100), (5000, 5000), (60_000, 5000)])
def test_a_callers_connection_waits_as_it_did_but_no_longer_than_the_call_may(
    two, own: int, within: int
) -> None:
    connection = two[0]
    connection.execute(f"PRAGMA busy_timeout={own}")
    with bound._patient(connection):
        assert patience(connection) == within
    assert patience(connection) == own
