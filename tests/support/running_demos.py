"""The demo's service as a process, on an SQLite file of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from coatcheck import SessionManager

DEMO = Path(__file__).parents[2] / "examples" / "demo"
PEPPER = "a long phrase that the browsers of the tests never see"


class Demo(NamedTuple):
    """The running service, and an operator's hands on its store."""

    port: int
    directory: Path

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def store(self) -> str:
        return f"sqlite:///{self.directory / 'sessions.db'}"

    def operator(self) -> SessionManager:
        """A manager of another process on the same store."""
        return SessionManager.open(self.store, pepper=PEPPER)


@contextmanager
def running_demo(directory: Path) -> Iterator[Demo]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    demo = Demo(port, directory)
    environment = {name: value for name, value in os.environ.items() if "COATCHECK" not in name}
    environment |= {"COATCHECK_URL": demo.store, "COATCHECK_PEPPER": PEPPER}
    environment |= {"COATCHECK_DEADLINE": "2"}
    words = ["-m", "uvicorn", "--app-dir", DEMO, "--port", str(port), "--log-level", "warning"]
    process = subprocess.Popen([sys.executable, *words, "service:app"], env=environment)
    try:
        wait_for(port, process)
        yield demo
    finally:
        process.terminate()
        process.wait(20)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise AssertionError("the demo did not start")
