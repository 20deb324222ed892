"""A real redis-server for tests, on a free port and in a directory of its own.

It ends with whoever started it, even if that is killed: a shell waits for the end of its input,
which this process holds open, and then kills the server.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from typing import Any, Self

import redis

PATIENCE = 20.0
GUARD = 'redis-server "$@" >>log 2>&1 & echo $!; cat >/dev/null; kill -9 $!; wait $!'


def free_port() -> int:
    """One that leaves room for the port of a cluster's own talk, which is higher by 10,000."""
    while True:
        with suppress(OSError), socket.socket() as free:
            free.bind(("127.0.0.1", random.randrange(20_000, 50_000)))
            return int(free.getsockname()[1])


class RedisServer:
    """Loses nothing that it acknowledged, unless `settings` say otherwise.

    :param settings: options of the server's command line, by name.
    """

    def __init__(self, **settings: str) -> None:
        if shutil.which("redis-server") is None:
            raise RuntimeError("no redis-server to test on: install Debian's package redis-server")
        self.directory = tempfile.TemporaryDirectory(prefix="coatcheck-redis-")
        self.port = free_port()
        given = {"appendonly": "yes", "appendfsync": "always", "save": "", **settings}
        self.settings = {"bind": "127.0.0.1", "port": str(self.port), "protected-mode": "no"} | {
            name.replace("_", "-"): value for name, value in given.items()
        }
        self._guard: subprocess.Popen[str] | None = None
        self.pid = 0

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self, **options: Any) -> Any:
        """A plain client, to look behind the backend's back."""
        return redis.Redis(port=self.port, password=self.settings.get("requirepass"), **options)

    def start(self) -> None:
        """Start it, or start it again on what it left, and wait until it answers."""
        words = [word for name, value in self.settings.items() for word in (f"--{name}", value)]
        self._guard = subprocess.Popen(
            ["sh", "-c", GUARD, "sh", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=self.directory.name,
            start_new_session=True,
        )
        assert self._guard.stdout is not None
        self.pid = int(self._guard.stdout.readline())
        until = time.monotonic() + PATIENCE
        while True:
            with suppress(redis.RedisError), self.client() as client:
                client.ping()
                return
            assert time.monotonic() < until, "redis-server did not start"
            time.sleep(0.01)

    def kill(self) -> None:
        """`kill -9`, frozen or not."""
        self.tell(signal.SIGKILL)
        if self._guard is not None:
            self._guard.communicate()
        self._guard = None

    def tell(self, number: int) -> None:
        """Send it a signal."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.directory.cleanup()
