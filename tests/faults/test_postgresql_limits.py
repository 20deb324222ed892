"""PostgreSQL is frozen, full, locked or out of connections while everybody is at work."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from coatcheck import AsyncSessionManager, BackendUnavailable, SessionManager
from doors import opener, postgresql_doors
from loads import GRACE, Load, often, tell
from servers import PostgresServer
from shared_servers import with_options
from small_disks import Disk, small_tmpfs

DEADLINE = 1.5
FACES = ((SessionManager, "postgresql:"), (AsyncSessionManager, "postgresql:"),
         (AsyncSessionManager, "postgresql+asyncpg:"))  # fmt: skip


def test_a_frozen_server_holds_nobody_past_the_deadline(server: PostgresServer, url: str) -> None:
    times = min(often(1), 10)
    with Load(postgresql_doors(url, DEADLINE), deadline=DEADLINE) as load:
        for _ in range(times):
            load.works(0.3)
            server.freeze()
            try:
                load.works(2 * DEADLINE + 0.5)
            finally:
                server.thaw()
            load.recovers()
    load.check(linearizable=True)
    assert load.failures["OutcomeUnknown"]
    assert load.failures["BackendUnavailable"]
    load.tell(f"PostgreSQL frozen {times} times for {2 * DEADLINE + 0.5} s")


def test_rows_that_others_have_locked_keep_no_reader_waiting(url: str) -> None:
    with (
        Load(postgresql_doors(url, DEADLINE), deadline=DEADLINE) as load,
        psycopg.connect(url) as others,
    ):
        load.works(0.5)
        locked = others.execute("SELECT id FROM coatcheck_session FOR UPDATE").rowcount
        began, seen = time.monotonic(), reads(load)
        load.works(2 * DEADLINE)
        seen, took = reads(load) - seen, time.monotonic() - began
        others.rollback()
        load.recovers()
    load.check(linearizable=True)
    assert locked
    assert load.failures, "no writer had to wait"
    load.tell(
        f"PostgreSQL, {locked} rows locked for {took:.1f} s, with {seen} reads answered meanwhile"
    )
    assert seen > 20


def reads(load: Load) -> int:
    """Sessions that were validated so far."""
    return sum(each.kind == "validate" and each.answer is not None for each in load.house.history)


@pytest.fixture
def narrow_url() -> Iterator[str]:
    """A server with room for few."""
    with PostgresServer({"max_connections": 14}) as server:
        yield server.url


def test_a_server_without_a_connection_left(narrow_url: str) -> None:
    doors = postgresql_doors(narrow_url, DEADLINE, clients=2)
    with Load(doors, deadline=DEADLINE) as load, ExitStack() as others:
        load.works(0.5)
        with psycopg.connect(narrow_url, autocommit=True) as operator:
            # Each connection that is ended is taken by somebody else at once.
            until = time.monotonic() + 2 * DEADLINE
            while time.monotonic() < until:
                operator.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'coatcheck'"
                )
                with suppress(psycopg.OperationalError):
                    while True:
                        others.enter_context(psycopg.connect(narrow_url, autocommit=True))
        assert load.failures["BackendUnavailable"]
        others.close()
        load.recovers()
    load.check(linearizable=True)
    load.tell("PostgreSQL with all connections taken by others")


@pytest.mark.parametrize(("kind", "scheme"), FACES, ids=["psycopg", "async psycopg", "asyncpg"])
def test_twenty_callers_share_one_connection(
    server: PostgresServer, url: str, kind: Any, scheme: str
) -> None:
    """All are served, one after another; of a frozen server all hear in time."""
    n, narrow = 20, with_options(url.replace("postgresql:", scheme, 1), pool_size="1")
    with everybody(kind, narrow, n) as call:
        issued = call("issue", [f"user {i}" for i in range(n)], method="password")
        tokens = [each.token for each in issued]
        assert all(call("validate", tokens * 10))
        server.freeze()
        try:
            began = time.monotonic()
            answers = call("validate", tokens)
            took = time.monotonic() - began
        finally:
            server.thaw()
        assert all(isinstance(answer, BackendUnavailable) for answer in answers)
        assert took < DEADLINE + GRACE
        assert all(call("validate", tokens))
    tell(f"PostgreSQL, {n} callers of one connection: when frozen the last heard in {took:.2f} s")


class everybody:  # noqa: N801 - a context, like a function that gives one
    """A manager of either kind and a function that has so many calls of it run at once."""

    def __init__(self, kind: Any, url: str, n: int) -> None:
        self.sessions = opener(kind, url, DEADLINE)()
        self.rooms = ExitStack()
        self.threads = self.rooms.enter_context(ThreadPoolExecutor(n))
        self.runner = self.rooms.enter_context(asyncio.Runner())
        self.is_asynchronous = kind is AsyncSessionManager

    def __call__(self, name: str, values: list[Any], /, **options: Any) -> list[Any]:
        call = getattr(self.sessions, name)
        if self.is_asynchronous:
            return self.runner.run(self._gather([call(value, **options) for value in values]))
        waiting = [self.threads.submit(call, value, **options) for value in values]
        return [each.exception() or each.result() for each in waiting]

    @staticmethod
    async def _gather(calls: list[Any]) -> list[Any]:
        return await asyncio.gather(*calls, return_exceptions=True)

    def __enter__(self) -> everybody:
        if self.is_asynchronous:
            self.runner.run(self.sessions.start())
        return self

    def __exit__(self, *_: object) -> None:
        closed = self.sessions.close()
        if self.is_asynchronous:
            self.runner.run(closed)
        self.rooms.close()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A real one, which is filled up to the last byte."""
    with small_tmpfs(tmp_path, 120 << 20) as disk:
        if disk is None:
            pytest.skip("a disk that can be filled up takes the right to mount one")
        yield disk


def test_a_full_disk_loses_nothing_and_room_heals_it(disk: Disk) -> None:
    """First there is no room for another page, then none for the server's log either: it ends
    itself, and does not come back before there is."""
    for directory in (disk.directory, *disk.directory.parents[:3]):
        directory.chmod(0o755)  # PostgreSQL's user must get through
    settings = {"wal_recycle": "off", "min_wal_size": "32MB", "max_wal_size": "32MB"}
    with PostgresServer(settings, disk.directory) as server:
        doors = postgresql_doors(server.url, DEADLINE)
        with Load(doors, deadline=DEADLINE) as load:
            load.works(0.5)
            disk.fill()
            with opener(SessionManager, server.url, DEADLINE)() as sessions:
                sign_in_until_full(sessions)
                load.works(0.5)
            refused = sum(load.failures.values())
            fill_the_log(server.url)
            load.works(2.0)
            disk.free()
            if not server.processes:
                server.start()
            load.recovers(20)
        load.check(linearizable=True)
        assert sum(load.failures.values()) > refused, "the log had room"
        load.tell("PostgreSQL on a disk that was full")


def sign_in_until_full(sessions: SessionManager) -> None:
    def sign_in_without_end() -> None:
        for n in range(2000):
            incompressible = os.urandom(3000).hex()
            sessions.issue(f"filler {n}", method="password", metadata={"filler": incompressible})

    with pytest.raises(BackendUnavailable, match="full"):
        sign_in_without_end()


def fill_the_log(url: str) -> None:
    """Until the server has no room for another file of it."""
    with psycopg.connect(url, autocommit=True) as others:

        def write_without_end() -> None:
            for _ in range(10_000):
                others.execute("SELECT pg_logical_emit_message(false, 'x', repeat('x', 100000))")

        with pytest.raises(psycopg.OperationalError):
            write_without_end()
