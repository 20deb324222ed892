"""The command line, run in this process, in another one, and on a terminal."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from coatcheck import SessionManager
from stretched_peppers import stretched_once

PEPPER = "canary-pepper-of-more-than-thirty-two-bytes"
COATCHECK = Path(sys.executable).with_name("coatcheck")


@dataclass
class Done:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON document on one line."""
        assert self.out.count("\n") == 1
        return json.loads(self.out)


class Shell:
    """Runs `coatcheck` on a store of its own."""

    def __init__(
        self,
        directory: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.directory = directory
        self.url = f"sqlite:///{directory}/sessions.db"
        self.pepper = PEPPER
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *words: str, stdin: bytes = b"") -> Done:
        """In this process: fast, for the many cases."""
        from coatcheck._cli.app import run

        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        self._capsys.readouterr()
        code = run(words)
        out, err = self._capsys.readouterr()
        return Done(int(code), out, err)

    def process(self, *words: str, stdin: str = "") -> Done:
        """The real command, in a process of its own."""
        done = subprocess.run(
            [COATCHECK, *words], input=stdin, capture_output=True, text=True, check=False
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def terminal(
        self,
        *words: str,
        expect: str = "",
        keys: str = "",
        split: bool = False,
        columns: int = 120,
    ) -> Done:
        """On a terminal: wait until `expect` is on it, press `keys`, and read to the end.

        With `split` only standard input and error are the terminal.
        """
        main, terminal = pty.openpty()
        out = subprocess.PIPE if split else terminal
        process = subprocess.Popen(
            [COATCHECK, *words],
            stdin=terminal,
            stdout=out,
            stderr=terminal,
            env={**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns)},
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509 - so that Ctrl-C typed on it is a signal
        )
        os.close(terminal)
        seen = _read_until(main, lambda text: bool(expect) and expect in text)
        if keys:
            os.write(main, keys.encode())
            seen += _read_until(main, lambda _: False)
        os.close(main)
        answer = process.communicate(timeout=10)[0] if split else b""
        return Done(process.wait(timeout=10), answer.decode() if split else seen, seen)

    def manager(self, **options: Any) -> SessionManager:
        """A manager on the same store."""
        return SessionManager.open(self.url, **{"pepper": PEPPER, **options})

    def ended(self, user: str, number: int, *, days: int = 40) -> None:
        """Store sessions that began `days` ago, and so ended since."""
        then = datetime.now(UTC) - timedelta(days=days)
        with self.manager(clock=lambda: then) as sessions:
            for _ in range(number):
                sessions.issue(user, method="password")


def _take_terminal() -> None:
    import fcntl
    import termios

    # In the background of a script, where the tests may run, it is ignored.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _read_until(main: int, enough: Callable[[str], bool]) -> str:
    seen, deadline = b"", time.monotonic() + 15
    while not enough(seen.decode(errors="replace")):
        if not select.select([main], [], [], max(0, deadline - time.monotonic()))[0]:
            raise AssertionError(f"the terminal shows only {seen!r}")
        try:
            chunk = os.read(main, 65536)
        except OSError:  # Linux says EIO when the last process has closed the terminal.
            break
        if not chunk:
            break
        seen += chunk
    return seen.decode(errors="replace")


@pytest.fixture(autouse=True)
def _no_foreign_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith("COATCHECK_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def bare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    """The command on a store that nobody has prepared."""
    shell = Shell(tmp_path, monkeypatch, capsys)
    monkeypatch.setenv("COATCHECK_URL", shell.url)
    monkeypatch.setenv("COATCHECK_PEPPER", PEPPER)
    return shell


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a store that is ready and empty, to be copied."""
    directory = tmp_path_factory.mktemp("prepared")
    SessionManager.open(f"sqlite:///{directory}/sessions.db", pepper=PEPPER).close()
    return directory


@pytest.fixture
def shell(bare: Shell, prepared: Path) -> Shell:
    """The command on a store that is ready."""
    shutil.copytree(prepared, bare.directory, dirs_exist_ok=True)
    return bare


@pytest.fixture
def plain() -> Callable[[str], str]:
    """Takes the escape sequences out of what a terminal shows."""
    return lambda text: re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "")
