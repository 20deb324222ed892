"""`issue`, `revoke`, `revoke_all` and `purge` against the raw statements at ours' durability."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import shuffle
from typing import Any
from uuid import UUID

from coatcheck import Record, SessionManager
from coatcheck._times import system_clock
from databases import Raw, Store
from reads import timed
from rounds import Figure, compare
from sessions import METADATA, SCOPES, SESSIONS_PER_USER

BATCH = 1000


def figures(store: Store, *, rounds: int, operations: int) -> list[Figure]:
    """All of them, each leaving as many sessions as it found."""
    connection = store.raw()
    with store.manager() as manager:
        found = [
            issue(store, connection, manager, rounds, operations),
            revoke(store, connection, manager, rounds, operations),
            revoke_all(store, connection, manager, rounds, operations // 10),
            purge(store, connection, manager, rounds, operations * 5),
        ]
    connection.close()
    return found


def issue(
    store: Store, connection: Raw, manager: SessionManager, rounds: int, operations: int
) -> Figure:
    """One session, committed. All of different users: one user's would all go to one page of
    the index."""

    def raw() -> float:
        records = store.source.records("new", operations)
        taken = timed(connection.insert, [store.row_of(record) for record in records])
        connection.discard([store.key_of(record.id) for record in records])
        return taken

    def ours() -> float:
        issued: list[UUID] = []

        def sign_in(users: Sequence[str]) -> None:
            for user in users:
                new = manager.issue(user, method="password", scopes=SCOPES, metadata=METADATA)
                issued.append(new.session.id)

        taken = timed(sign_in, [f"new-{n}" for n in range(operations)])
        connection.discard([store.key_of(session_id) for session_id in issued])
        return taken

    return compare("issue", raw, ours, rounds=rounds, limit=store.limits.get("issue"))


def revoke(
    store: Store, connection: Raw, manager: SessionManager, rounds: int, operations: int
) -> Figure:
    """One session, committed."""

    def filled() -> list[Record]:
        records = store.source.records("leaving", operations)
        _fill(store, connection, records)
        shuffle(records)
        return records

    def raw() -> float:
        return timed(connection.delete, [store.key_of(record.id) for record in filled()])

    def ours() -> float:
        return timed(_each(manager.revoke), [record.id for record in filled()])

    return compare("revoke", raw, ours, rounds=rounds, limit=store.limits.get("revoke"))


def revoke_all(
    store: Store, connection: Raw, manager: SessionManager, rounds: int, users: int
) -> Figure:
    """A user's ten sessions, committed."""

    def filled() -> list[str]:
        records = store.source.records("leaving", users, SESSIONS_PER_USER)
        _fill(store, connection, records)
        leaving = list({record.user_id for record in records})
        shuffle(leaving)
        return leaving

    def raw() -> float:
        return timed(connection.delete_users, filled())

    def ours() -> float:
        return timed(_each(lambda user: manager.revoke_all(user_id=user)), filled())

    return compare(f"revoke_all, a user's {SESSIONS_PER_USER} sessions", raw, ours, rounds=rounds)


def purge(
    store: Store, connection: Raw, manager: SessionManager, rounds: int, ended: int
) -> Figure:
    """So many ended sessions among the living, in batches of 1,000, by their deadline."""

    def purged(work: Callable[[], object]) -> float:
        _fill(store, connection, store.source.ended(ended))
        return timed(lambda _: work(), range(ended))

    def raw() -> float:
        return purged(lambda: connection.purge(system_clock(), BATCH))

    def ours() -> float:
        return purged(lambda: manager.purge(batch_size=BATCH))

    return compare(f"purge of {ended:,}, per session", raw, ours, rounds=rounds)


def _fill(store: Store, connection: Raw, records: Sequence[Record]) -> None:
    connection.fill([store.row_of(record) for record in records])


def _each(work: Callable[[Any], object]) -> Callable[[Sequence[Any]], None]:
    def all_of_them(items: Sequence[Any]) -> None:
        for item in items:
            work(item)

    return all_of_them
