"""`issue`, `revoke`, `revoke_all` and `purge` against the raw statements at `synchronous=FULL`."""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any
from uuid import UUID

from coatcheck import SessionManager
from rounds import Figure, compare
from store import DELETE, DELETE_USER, INSERT, METADATA, SCOPES, TABLE, Store, id_of

BATCH = 1000


def figures(store: Store, *, rounds: int, operations: int) -> list[Figure]:
    """All of them, each leaving as many sessions as it found."""
    connection = store.connect()
    with store.manager() as manager:
        template = connection.execute(f"SELECT * FROM {TABLE} LIMIT 1").fetchone()[1:]
        found = [
            issue(connection, manager, template, rounds, operations),
            revoke(connection, manager, template, rounds, operations),
            revoke_all(connection, manager, template, rounds, operations // 10),
            purge(store, connection, template, rounds, operations * 5),
        ]
    connection.close()
    return found


def issue(
    connection: sqlite3.Connection,
    manager: SessionManager,
    template: tuple[object, ...],
    rounds: int,
    operations: int,
) -> Figure:
    """One session, committed."""

    def raw() -> float:
        # Different users, as ours: equal ones would all go to one page of the index.
        rows = [(_new_id(), f"new-user-{n}", *template[1:]) for n in range(operations)]
        taken = _timed(lambda row: connection.execute(INSERT, row), rows)
        connection.executemany(DELETE, [row[:1] for row in rows])
        return taken

    def ours() -> float:
        tokens: list[str] = []

        def sign_in(user: str) -> None:
            issued = manager.issue(user, method="password", scopes=SCOPES, metadata=METADATA)
            tokens.append(issued.token)

        taken = _timed(sign_in, [f"new-user-{n}" for n in range(operations)])
        connection.executemany(DELETE, [(id_of(token),) for token in tokens])
        return taken

    return compare("issue", raw, ours, rounds=rounds, limit=2.0)


def revoke(
    connection: sqlite3.Connection,
    manager: SessionManager,
    template: tuple[object, ...],
    rounds: int,
    operations: int,
) -> Figure:
    """One session, committed."""

    def filled() -> list[bytes]:
        rows = [(_new_id(), f"leaving-{n}", *template[1:]) for n in range(operations)]
        _insert(connection, rows)
        random.shuffle(rows)
        return [row[0] for row in rows]

    def raw() -> float:
        return _timed(lambda session_id: connection.execute(DELETE, (session_id,)), filled())

    def ours() -> float:
        return _timed(manager.revoke, [UUID(bytes=session_id) for session_id in filled()])

    return compare("revoke", raw, ours, rounds=rounds, limit=2.0)


def revoke_all(
    connection: sqlite3.Connection,
    manager: SessionManager,
    template: tuple[object, ...],
    rounds: int,
    operations: int,
) -> Figure:
    """A user's ten sessions, committed."""

    def filled() -> list[str]:
        users = [f"leaving-{n}" for n in range(operations)]
        _insert(connection, [(_new_id(), user, *template[1:]) for user in users for _ in range(10)])
        random.shuffle(users)
        return users

    def raw() -> float:
        return _timed(lambda user: connection.execute(DELETE_USER, (user,)), filled())

    def ours() -> float:
        return _timed(lambda user: manager.revoke_all(user_id=user), filled())

    return compare("revoke_all, a user's 10 sessions", raw, ours, rounds=rounds)


def purge(
    store: Store,
    connection: sqlite3.Connection,
    template: tuple[object, ...],
    rounds: int,
    ended: int,
) -> Figure:
    """So many ended sessions among the living, in batches of 1,000, by their deadline."""
    now = datetime.now(UTC) - timedelta(days=1)
    old = list(template)
    old[6] = int(now.timestamp() * 1000)  # expires_at
    raw_batch = (
        f"DELETE FROM {TABLE} WHERE id IN "
        f"(SELECT id FROM {TABLE} WHERE expires_at <= {int(old[6]) + 1} LIMIT {BATCH})"
    )

    def filled() -> None:
        _insert(connection, [(_new_id(), *old) for _ in range(ended)])

    def raw() -> float:
        filled()
        start = perf_counter()
        while connection.execute(raw_batch).rowcount:
            pass
        return (perf_counter() - start) / ended * 1e6

    with store.manager() as manager:

        def ours() -> float:
            filled()
            start = perf_counter()
            assert manager.purge(batch_size=BATCH) == ended
            return (perf_counter() - start) / ended * 1e6

        return compare(f"purge of {ended:,}, per session", raw, ours, rounds=rounds)


def _insert(connection: sqlite3.Connection, rows: list[tuple[object, ...]]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(INSERT, rows)
    connection.execute("COMMIT")


def _new_id() -> bytes:
    """Sorts like one that is issued now."""
    milliseconds = int(datetime.now(UTC).timestamp() * 1000)
    return milliseconds.to_bytes(6) + b"\x70" + os.urandom(1) + b"\x80" + os.urandom(7)


def _timed(work: Callable[[Any], object], items: Sequence[Any]) -> float:
    start = perf_counter()
    for item in items:
        work(item)
    return (perf_counter() - start) / len(items) * 1e6
