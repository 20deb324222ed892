"""What a process has open and running, and whether anything of it was left behind."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

GRACE = 5.0
"""Seconds for threads that were told to end. The driver's may be at a heartbeat."""


def sockets_open() -> set[str]:
    """The sockets that this process has open."""
    found = set[str]()
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            target = os.readlink(descriptor)
        except FileNotFoundError:
            continue
        if target.startswith("socket:"):
            found.add(target)
    return found


@contextmanager
def nothing_left_behind() -> Iterator[None]:
    """Everything that begins in here, threads and sockets, must end in here or right after."""
    threads, sockets = set(threading.enumerate()), sockets_open()
    yield
    until = time.monotonic() + GRACE
    while time.monotonic() < until:
        gc.collect()  # an error that a test has seen holds the frames that it came through
        if not set(threading.enumerate()) - threads and not sockets_open() - sockets:
            return
        time.sleep(0.1)
    left = [thread.name for thread in set(threading.enumerate()) - threads]
    raise AssertionError(f"left behind: {left}, {len(sockets_open() - sockets)} sockets")
