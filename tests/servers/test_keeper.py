"""Whatever becomes of a test run, no server and no data of it stays behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import keeper
import server_runs
import shared_servers

OWNER = """
import json, sys
import server_runs
from servers import MongoServer, PostgresServer

servers = [PostgresServer(), MongoServer()]
for server in servers:
    server.start()
if "frozen" in sys.argv:
    servers[0].freeze()
pids = [pid for server in servers for pid in server.processes]
print(json.dumps([str(server_runs.current().directory), pids]), flush=True)
sys.stdin.read()
"""
IDLE = """
import server_runs
print(server_runs.current().directory)
"""


def _process(source: str, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(keeper.__file__).parent)}
    return subprocess.Popen(
        [sys.executable, "-c", source, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


@contextmanager
def _owner(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], Path, list[int]]]:
    """A process with servers of its own; the run's directory, and all that runs in it."""
    with _process(OWNER, *arguments) as process:
        assert process.stdout is not None
        directory, pids = json.loads(process.stdout.readline())
        assert all(map(keeper.family, pids))
        yield process, Path(directory), pids


def _soon(is_so: Any) -> bool:
    until = time.monotonic() + 15
    while not is_so() and time.monotonic() < until:
        time.sleep(0.02)
    return bool(is_so())


@pytest.mark.parametrize("end", ["killed, its server frozen", "in order"])
def test_servers_end_and_their_data_goes_with_the_process_that_owns_them(end: str) -> None:
    frozen = ("frozen",) if "frozen" in end else ()
    with _owner(*frozen) as (process, directory, pids):
        if frozen:
            process.kill()
        else:
            process.communicate()
    assert _soon(lambda: not any(map(keeper.family, pids))), "no process is left"
    assert _soon(lambda: not directory.exists()), "nor any of their data"


def test_a_process_that_only_has_the_number_of_a_dead_server_is_left_alone(tmp_path: Path) -> None:
    with _process("import sys; sys.stdin.read()") as other:
        place = tmp_path / "server"
        place.mkdir()
        (place / "pid").write_text(f"{other.pid} 1 {signal.SIGKILL:d}")
        keeper.end_all(tmp_path)
        assert not tmp_path.exists()
        assert other.poll() is None
        other.communicate()
        assert other.returncode == 0


def test_a_run_that_asks_for_no_server_starts_none_and_leaves_nothing() -> None:
    with _process(IDLE) as process:
        said = process.communicate()[0]
    assert process.returncode == 0
    assert not Path(said.strip()).exists()


def test_of_many_who_ask_at_once_one_starts_the_server(tmp_path: Path) -> None:
    run, started = server_runs.Run(tmp_path), list[int]()

    def start() -> str:
        started.append(1)
        time.sleep(0.05)
        return f"url {len(started)}"

    with ThreadPoolExecutor(8) as threads:
        urls = list(threads.map(lambda _: run.once("server", start), range(8)))
    assert urls == ["url 1"] * 8
    assert len(started) == 1


def test_the_processes_of_a_run_share_its_servers(postgresql_url: str) -> None:
    source = f"""
import server_runs, shared_servers
server_runs.join({str(server_runs.current().directory)!r})
print(shared_servers.postgresql())
"""
    with _process(source) as process:
        said = process.communicate()[0]
    assert said.strip() == shared_servers.postgresql()
    assert postgresql_url.startswith(said.strip().removesuffix("/postgres"))


def test_ports_are_given_once(tmp_path: Path) -> None:
    run = server_runs.Run(tmp_path)
    ports = [run.free_port() for _ in range(50)]
    assert len(set(ports)) == 50
