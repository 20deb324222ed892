"""PostgreSQL is killed, stopped at once and restarted while everybody is at work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from coatcheck import AsyncSessionManager, SessionManager
from coatcheck_backends.postgresql import store
from coatcheck_conformance.histories import NotLinearizable, Recorder, check_linearizable
from doors import opener, options, postgresql_doors
from houses import seen
from kept import NotKept, check_kept
from loads import Load, often, tell
from servers import PostgresServer
from shared_servers import with_options

DEADLINE = 2.0


def killed(server: PostgresServer) -> None:
    server.kill()
    server.start()


def stopped_at_once(server: PostgresServer) -> None:
    server.stop_at_once()
    server.start()


@pytest.mark.parametrize("fault", [killed, stopped_at_once], ids=lambda fault: fault.__name__)
def test_no_acknowledged_change_is_lost_by_a_crash(
    server: PostgresServer, url: str, fault: Callable[[PostgresServer], None]
) -> None:
    times = often(3)
    with Load(postgresql_doors(url, DEADLINE), deadline=DEADLINE) as load:
        load.works(0.5)
        for _ in range(times):
            fault(server)
            load.recovers()
            load.works(0.3)
    load.check(linearizable=True)
    assert load.failures, "nobody noticed"
    assert connections(url) == 0
    load.tell(f"PostgreSQL with synchronous_commit=off {fault.__name__} {times} times")


def connections(url: str) -> int:
    """Of ours, once the server has seen the end of those that ended."""
    until = time.monotonic() + 5
    while True:
        with psycopg.connect(url) as connection:
            [[number]] = connection.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE application_name = 'coatcheck' AND datname = current_database()"
            ).fetchall()
        if not number or time.monotonic() > until:
            return number
        time.sleep(0.02)


class Deletes:
    """Somebody else's table on the same server, and what became of the deletes in it."""

    ROWS = 20

    def __init__(self, url: str) -> None:
        self.url = url
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE theirs (n integer)")

    def acknowledged(self) -> None:
        """Rows that stay, and all of them deleted as the server's default has it."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("TRUNCATE theirs")
            connection.execute("SET synchronous_commit = on")
            connection.execute(f"INSERT INTO theirs SELECT generate_series(1, {self.ROWS})")
            connection.execute("RESET synchronous_commit")
            for n in range(1, self.ROWS + 1):
                deleted = connection.execute("DELETE FROM theirs WHERE n = %s", [n])
                assert deleted.rowcount == 1

    def undone(self) -> int:
        with psycopg.connect(self.url) as connection:
            [[left]] = connection.execute("SELECT count(*) FROM theirs").fetchall()
            return left


def test_what_others_delete_at_the_servers_default_is_lost_and_what_we_revoke_is_not(
    server: PostgresServer, url: str
) -> None:
    """A quiet server, so that nothing else carries a commit to the disk."""
    times, undone, deletes = often(3), 0, Deletes(url)
    ids, tokens = [], []
    with opener(SessionManager, url, DEADLINE)() as sessions:
        for _ in range(times):
            deletes.acknowledged()
            signed_in = sessions.issue("ann", method="password")
            tokens.append(signed_in.token)
            ids.append(sessions.issue("bob", method="password"))
            assert sessions.revoke(ids[-1].session.id)
            deletes.acknowledged()
            killed(server)
            undone += deletes.undone()
            assert sessions.validate(tokens[-1], touch=False), "an issue is lost"
            assert not sessions.validate(ids[-1].token), "a revocation is undone"
        assert all(sessions.validate(token, touch=False) for token in tokens)
        assert not any(sessions.validate(each.token) for each in ids)
    assert undone, "the server's default loses nothing, so that this shows nothing"
    tell(
        f"PostgreSQL with synchronous_commit=off killed {times} times when quiet: of others' "
        f"{times * Deletes.ROWS} acknowledged deletes {undone} undone; of our {times} revocations "
        f"and {times} issues none"
    )


def test_a_backend_that_leaves_it_to_the_servers_default_is_caught(
    server: PostgresServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "SETTLE", "SELECT set_config('lock_timeout', $1, false)")
    broken = with_options(url, schema="broken")
    recorder = Recorder()
    with opener(SessionManager, broken, DEADLINE)() as sessions:
        issued = sessions.issue("ann", method="password", scopes={"a"})
        with recorder.call(issued.session.id, "issue", "a") as call:
            call.answer = True
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CHECKPOINT")  # so that the issue is kept
        with recorder.call(issued.session.id, "revoke") as call:
            call.answer = sessions.revoke(issued.session.id)
        killed(server)
        with recorder.call(issued.session.id, "validate") as call:
            call.answer = seen(sessions.validate(issued.token, touch=False))
    with pytest.raises(NotKept, match="revocation was acknowledged"):
        check_kept(recorder.operations)
    with pytest.raises(NotLinearizable):
        check_linearizable(recorder.operations)


def test_connections_that_are_stale_after_a_restart_cost_nobody_an_error(
    server: PostgresServer, url: str
) -> None:
    """Pools full of connections, a restart while nobody calls, and then everybody at once."""
    n = 20

    async def everybody(sessions: AsyncSessionManager, tokens: list[str]) -> int:
        return sum(map(bool, await asyncio.gather(*map(sessions.validate, tokens))))

    async def asynchronous(kind: str) -> None:
        door = url.replace("postgresql:", kind, 1)
        async with AsyncSessionManager.open(door, **options(DEADLINE)) as sessions:
            issued = [await sessions.issue("ann", method="password") for _ in range(n)]
            tokens = [each.token for each in issued]
            assert await everybody(sessions, tokens) == n
            await asyncio.to_thread(restarted, server)
            assert await everybody(sessions, tokens) == n
            await asyncio.to_thread(restarted, server)
            revoked = await asyncio.gather(*(sessions.revoke(e.session.id) for e in issued))
            assert revoked == [True] * n

    with opener(SessionManager, url, DEADLINE)() as sessions, ThreadPoolExecutor(n) as threads:
        issued = [sessions.issue("ann", method="password") for _ in range(n)]
        tokens = [each.token for each in issued]
        assert all(threads.map(sessions.validate, tokens))
        restarted(server)
        assert all(threads.map(sessions.validate, tokens))
        restarted(server)
        assert all(threads.map(sessions.revoke, [each.session.id for each in issued]))
    asyncio.run(asynchronous("postgresql:"))
    asyncio.run(asynchronous("postgresql+asyncpg:"))
    tell(f"PostgreSQL restarted 6 times between two calls: {n} callers each, and no failure")


def restarted(server: PostgresServer) -> None:
    server.stop()
    server.start()
