"""Ends the servers of a run and removes their data once the run is over, however it went.

`python keeper.py DIRECTORY` waits for the lock on `DIRECTORY/lock`, which the run's main
process holds for as long as it lives: the kernel gives it back even after `kill -9`. Each
server has a directory in there, with a file `pid`: its process, when that began, and the
signal that ends it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import sys
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

POLITE = 2.0
"""Seconds that a server has for an end of its own."""


def family(pid: int) -> list[int]:
    """A process that is not dead and all that come from it, parents before children."""
    children, alive = defaultdict[int, list[int]](list), set[int]()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with suppress(OSError):
                # The name, in parentheses, may hold anything.
                state, parent = Path(entry.path, "stat").read_text().rpartition(")")[2].split()[:2]
                children[int(parent)].append(int(entry.name))
                if state not in "ZX":
                    alive.add(int(entry.name))
    found = [pid]
    for each in found:
        found += children[each]
    return [each for each in found if each in alive]


def birth(pid: int) -> str:
    """When a process began, which tells it from a later one with its number; or nothing."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return ""


def tell(pids: list[int], number: int) -> None:
    """Send a signal to each that is still there."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def freeze(pid: int) -> list[int]:
    """Stop a process with all its children, and say which."""
    tell([pid], signal.SIGSTOP)  # from here on it starts no more of them
    stopped = family(pid)
    tell(stopped, signal.SIGSTOP)
    until = time.monotonic() + 2
    while any(map(_is_at_work, stopped)) and time.monotonic() < until:
        time.sleep(0.001)
    return stopped


def _is_at_work(pid: int) -> bool:
    """Whether a thread of it has not stopped yet: the signal only says that it shall."""
    try:
        threads = [
            task.joinpath("stat").read_text() for task in Path(f"/proc/{pid}/task").iterdir()
        ]
    except OSError:
        return False
    return any(stat.rpartition(")")[2].split()[0] not in "TtZX" for stat in threads)


def kill(pid: int) -> None:
    """`kill -9` for a process with all its children. They are gone when this returns."""
    pids = freeze(pid)
    tell(pids, signal.SIGKILL)
    # Another server cannot take over the data while one of them still has the memory.
    while any(map(family, pids)):
        time.sleep(0.002)


def end(pid: int, number: int) -> None:
    """Let a server end by itself at a signal, and kill it if it does not."""
    tell(family(pid), signal.SIGCONT)
    tell([pid], number)
    until = time.monotonic() + POLITE
    while family(pid) and time.monotonic() < until:
        time.sleep(0.005)
    kill(pid)


def end_all(directory: Path) -> None:
    """End every server that was started in a directory, and remove it."""
    for file in directory.glob("*/pid"):
        pid, began, number = file.read_text().split()
        if birth(int(pid)) == began:
            end(int(pid), int(number))
    shutil.rmtree(directory, ignore_errors=True)


def main() -> None:
    directory = Path(sys.argv[1])
    with (directory / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        end_all(directory)


if __name__ == "__main__":
    main()
