"""Judges mutants quickly: a process that has imported everything but coatcheck, and forks one
process for each, which imports coatcheck as it stands on the disk and runs the tests.

    python warm.py SOCKET DIRECTORY MODULES OPTIONS -- TESTS [-- TESTS]...

`ask.py` connects and gets the exit code of pytest in one byte, of the first of these groups of
tests in which one fails. If it goes away first, what runs for it is killed.
"""

from __future__ import annotations

import importlib
import os
import select
import signal
import socket
import sys
import traceback
from collections import Counter
from contextlib import suppress
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import Phase, settings

ROOT = Path(__file__).resolve().parent.parent.parent


def settle_hypothesis() -> None:
    """The same examples for every mutant, and no time spent on making a failure small."""
    settings.register_profile(
        "mutation",
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        report_multiple_bugs=False,
    )
    settings.load_profile("mutation")


class KillersFirst:
    """Begins with the tests that killed most mutants of the module that is mutated now, and then
    of any, as a file in here tells."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "killers"

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self._file.touch()
        kills = Counter(tuple(line.split(" ", 1)) for line in self._file.read_text().splitlines())
        of_any = Counter(name for _, name in kills.elements())
        here = latest_module()
        items.sort(key=lambda item: (-kills[here, item.nodeid], -of_any[item.nodeid]))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            with self._file.open("a") as file:
                print(latest_module(), report.nodeid, file=file)


def latest_module() -> str:
    """Where the mutation is, or the last one was."""
    sources = (path for part in ("core", "backends") for path in (ROOT / part).rglob("*.py"))
    return str(max(sources, key=lambda path: path.stat().st_mtime))


def serve(
    server: socket.socket, directory: Path, options: list[str], groups: list[list[str]]
) -> None:
    """One mutant after the other."""
    killers = KillersFirst(directory)
    while True:
        connection, _ = server.accept()
        with connection:
            code = judge(connection, [[*options, *group] for group in groups], killers)
            with suppress(OSError):
                connection.sendall(bytes([code]))


def judge(connection: socket.socket, runs: list[list[str]], plugin: object) -> int:
    """The exit code of pytest in a new process: of the first run that fails."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setsid()
            code = next(filter(None, (int(pytest.main(run, plugins=[plugin])) for run in runs)), 0)
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
        finally:
            os._exit(code)
    try:
        while True:
            gone, status = os.waitpid(child, os.WNOHANG)
            if gone:
                return min(abs(os.waitstatus_to_exitcode(status)), 255)
            if select.select([connection], [], [], 0.005)[0]:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return 1
    finally:
        with suppress(ProcessLookupError):  # what the tests started and left
            os.killpg(child, signal.SIGKILL)


def main() -> None:
    path, directory, modules, *words = sys.argv[1:]
    options, *groups = ([*group] for split, group in groupby(words, "--".__ne__) if split)
    for module in modules.split(","):
        importlib.import_module(module)
    settle_hypothesis()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        serve(server, Path(directory), options, groups)


if __name__ == "__main__":
    main()
