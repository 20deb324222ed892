"""What the processes of one run share: a directory, the servers in it, and their end.

The main process of a test run begins it, its workers join. Any other process that starts a
server is a run of its own.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import keeper

ROOM = 2 << 30
"""Bytes that must be free in memory for the servers' data to be there."""
_PORTS = range(15_000, 32_000)
"""Below those from which the kernel takes the ports of clients: a server that is started
again finds its own one free."""


class Run:
    """A directory under a lock that its main process holds."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @classmethod
    def begin(cls, *, on_disk: bool = False) -> Run:
        """A new run, which ends when this process does. The servers' data is in memory, if
        there is room."""
        memory = Path("/dev/shm")
        in_memory = not on_disk and memory.is_dir() and shutil.disk_usage(memory).free >= ROOM
        parent = memory if in_memory and os.access(memory, os.W_OK) else None
        run = cls(Path(tempfile.mkdtemp(prefix="coatcheck-tests-", dir=parent)).resolve())
        run.directory.chmod(0o711)  # PostgreSQL's user must get through
        lock = (run.directory / "lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        owner = os.getpid()

        def let_go() -> None:
            if os.getpid() == owner:
                lock.close()
                if not (run.directory / "keeper").exists():
                    shutil.rmtree(run.directory, ignore_errors=True)

        atexit.register(let_go)
        return run

    def new_directory(self, name: str) -> Path:
        """For a server, and with a keeper who will end it."""
        self.once("keeper", self._start_keeper)
        directory = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.directory))
        directory.chmod(0o711)
        return directory

    def _start_keeper(self) -> str:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", keeper.__file__, str(self.directory)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,  # Ctrl-C is not for the keeper
        )
        left_behind(process)
        return str(process.pid)

    def once(self, name: str, make: Callable[[], str]) -> str:
        """What `make` gave the first of all processes that asked under this name."""
        known = self.directory / name
        with self._locked(name):
            if not known.exists():
                answer = make()
                known.write_text(answer)
        return known.read_text()

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        with (self.directory / f"{name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def free_port(self) -> int:
        """A port of 127.0.0.1 on which nobody listens, and which the run gives to no other."""
        while True:
            port = random.choice(_PORTS)
            try:
                (self.directory / f"port-{port}").touch(exist_ok=False)
                with socket.socket() as trial:
                    trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def left_behind(process: subprocess.Popen[bytes]) -> None:
    """It may go on when this process ends, and the keeper sees to its own end."""
    atexit.register(setattr, process, "returncode", 0)  # without one Popen warns


_joined: list[Run] = []


def current() -> Run:
    """The run of this process."""
    if not _joined:
        _joined.append(Run.begin())
    return _joined[0]


def begin_on_disk() -> None:
    """Be a run whose servers wait for a disk when they commit, as in earnest."""
    _joined[:] = [Run.begin(on_disk=True)]


def join(directory: str) -> None:
    """Be part of a run that another process has begun."""
    _joined[:] = [Run(Path(directory))]
