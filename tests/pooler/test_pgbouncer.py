"""PgBouncer in transaction mode, as Debian has it: a server's connection is another client's
after each transaction, and so is whatever was left behind in it.

Run by `nox -s pooler`, since PgBouncer comes as a package of the system and not as a wheel.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session as OrmSession

import server_runs
from coatcheck import AsyncSessionManager, ConfigError, SessionManager
from servers import PostgresServer

PEPPER = "a pepper of the tests beside a pooler, long enough to be a good one"
SERVER_CONNECTIONS = 2


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One whose own default would lose what was acknowledged."""
    with PostgresServer({"synchronous_commit": "off"}) as server:
        yield server


@pytest.fixture(scope="module")
def pooled_url(server: PostgresServer) -> Iterator[str]:
    """The same database behind PgBouncer, which has two connections to it in all."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.fail("no pgbouncer: install your system's package of that name", pytrace=False)
    port = server_runs.current().free_port()
    directory = server_runs.current().new_directory("pgbouncer")
    configuration = directory / "pgbouncer.ini"
    _configure(configuration, server.port, port)
    account = pwd.getpwnam("nobody")
    owner = {"user": account.pw_uid, "group": account.pw_gid} if os.geteuid() == 0 else {}
    process = subprocess.Popen([program, configuration], cwd=directory, **owner)
    try:
        _wait_for(port)
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        process.kill()
        process.wait()


def _configure(file: Path, server_port: int, port: int) -> None:
    users = file.with_name("users.txt")
    users.write_text('"postgres" ""\n')
    file.write_text(
        f"[databases]\npostgres = host=127.0.0.1 port={server_port}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = trust\nauth_file = {users}\nlogfile =\n"
        f"pool_mode = transaction\ndefault_pool_size = {SERVER_CONNECTIONS}\n"
    )


def _wait_for(port: int) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.01)
    raise RuntimeError("pgbouncer did not start")


def whole_life(sessions: SessionManager, user: str) -> None:
    """Every call of a manager, each seen by the next, whichever connection it gets."""
    first = sessions.issue(user, method="password", scopes={"read"}, metadata={"n": 1})
    second = sessions.issue(user, method="sso", scopes={"write"})
    assert sessions.validate(first.token) == first.session
    assert sessions.update(first.session.id, scopes={"a", "b"}).scopes == {"a", "b"}
    assert sessions.validate(first.token).scopes == {"a", "b"}
    ids = sorted([first.session.id, second.session.id])  # one millisecond may have made both
    assert [session.id for session in sessions.find(user_id=user)] == ids
    assert sessions.count(user_id=user, scope="write") == 1
    assert sessions.update_all(user_id=user, method="sso", scopes={"c"}) == 1
    assert sessions.validate(second.token).scopes == {"c"}
    assert sessions.revoke(first.session.id)
    assert not sessions.validate(first.token)
    assert [ref.id for ref in sessions.revoke_all(user_id=user)] == [second.session.id]
    assert not sessions.validate(second.token)
    sessions.purge()


def test_a_manager_works_behind_it_and_prepares_nothing(
    server: PostgresServer, pooled_url: str
) -> None:
    with SessionManager.open(pooled_url + "?pool_size=8", pepper=PEPPER) as sessions:
        with ThreadPoolExecutor(8) as threads:
            for done in [threads.submit(whole_life, sessions, f"user {n}") for n in range(40)]:
                done.result()
        with psycopg.connect(pooled_url, autocommit=True, prepare_threshold=None) as connection:
            for _ in range(20):
                assert connection.execute("SELECT * FROM pg_prepared_statements").fetchall() == []
        with psycopg.connect(server.url) as connection:
            [[used]] = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
                " AND pid <> pg_backend_pid()"
            ).fetchall()
    assert used <= SERVER_CONNECTIONS


def test_an_asynchronous_manager_works_behind_it(pooled_url: str) -> None:
    async def main() -> None:
        async with AsyncSessionManager.open(pooled_url, pepper=PEPPER) as sessions:

            async def life(user: str) -> None:
                issued = await sessions.issue(user, method="password")
                assert await sessions.validate(issued.token)
                assert await sessions.update(issued.session.id, scopes={"x"})
                assert (await sessions.validate(issued.token)).scopes == {"x"}
                assert await sessions.revoke(issued.session.id)
                assert not await sessions.validate(issued.token)

            await asyncio.gather(*(life(f"task {n}") for n in range(40)))

    asyncio.run(main())


def test_asyncpg_is_refused_since_it_cannot_do_without_prepared_statements(
    pooled_url: str,
) -> None:
    async def main() -> None:
        url = pooled_url.replace("postgresql:", "postgresql+asyncpg:")
        async with AsyncSessionManager.open(url, pepper=PEPPER):
            pass

    with pytest.raises(ConfigError, match="pooler") as refused:
        asyncio.run(main())
    assert "postgresql://" in str(refused.value), "what to use instead"


def test_what_is_acknowledged_behind_it_is_committed_to_disk_and_a_setting_stays_nowhere(
    server: PostgresServer, pooled_url: str
) -> None:
    with (
        SessionManager.open(pooled_url + "?table=watched", pepper=PEPPER) as sessions,
        psycopg.connect(server.url, autocommit=True) as connection,
    ):
        connection.execute("CREATE TABLE committed (setting text)")
        connection.execute(
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " INSERT INTO committed VALUES (current_setting('synchronous_commit'));"
            " RETURN NULL; END $$"
        )
        connection.execute(
            "CREATE CONSTRAINT TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON watched"
            " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note()"
        )
        issued = sessions.issue("user", method="password")
        sessions.update(issued.session.id, scopes={"x"})
        sessions.revoke(issued.session.id)
        found = connection.execute("SELECT setting FROM committed").fetchall()
        assert found == [("on",), ("on",), ("on",)]
    with psycopg.connect(pooled_url, autocommit=True, prepare_threshold=None) as connection:
        for _ in range(20):
            for name, default in (("synchronous_commit", "off"), ("lock_timeout", "0")):
                [[value]] = connection.execute(f"SELECT current_setting('{name}')").fetchall()
                assert value == default


def test_a_transaction_of_the_callers_works_behind_it(pooled_url: str) -> None:
    engine = create_engine(
        pooled_url.replace("postgresql:", "postgresql+psycopg:"),
        connect_args={"prepare_threshold": None},
    )
    with SessionManager.open(pooled_url, pepper=PEPPER) as sessions:
        with OrmSession(engine) as orm:
            kept = sessions.within(orm).issue("kept", method="password")
            orm.commit()
        with OrmSession(engine) as orm:
            dropped = sessions.within(orm).issue("dropped", method="password")
            orm.rollback()
        assert sessions.validate(kept.token)
        assert not sessions.validate(dropped.token)
    engine.dispose()
