"""A disk that can be filled up: a small tmpfs, or SQLite's own limit on pages."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any, Protocol
from unittest.mock import patch

from coatcheck_backends.sqlite import connections

SIZE = 1 << 20


class Disk(Protocol):
    """A directory on it, and what can be done to it."""

    directory: Path

    def fill(self) -> None:
        """Leave no room."""
        ...

    def free(self) -> None:
        """Give all of it back."""
        ...


class Tmpfs:
    """A real one. Needs the right to mount."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._filler = directory / "filler"

    def fill(self) -> None:
        with self._filler.open("ab", buffering=0) as file:
            for size in (4096, 1):
                while _has_room_for(file, b"x" * size):
                    pass

    def free(self) -> None:
        self._filler.unlink()


def _has_room_for(file: FileIO, content: bytes) -> bool:
    try:
        file.write(content)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return False
    return True


class PageLimit:
    """The same answer of SQLite's, SQLITE_FULL, for every change that needs another page."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.connections: list[Any] = []
        self._connect = connections.connect

    def connect(self, path: str) -> Any:
        connection = self._connect(path)
        self.connections.append(connection)
        return connection

    def fill(self) -> None:
        for connection in self.connections:
            connection.execute("PRAGMA max_page_count=1")

    def free(self) -> None:
        for connection in self.connections:
            connection.execute("PRAGMA max_page_count=1000000")


@contextmanager
def small_tmpfs(directory: Path, size: int = SIZE) -> Iterator[Disk | None]:
    """A tmpfs of so many bytes mounted over the directory, or `None` where that is not allowed."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "coatcheck-test", str(directory)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        yield None
        return
    try:
        yield Tmpfs(directory)
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


@contextmanager
def limited_pages(directory: Path) -> Iterator[Disk]:
    """The backends that are opened in here get a limit."""
    disk = PageLimit(directory)
    with patch.object(connections, "connect", disk.connect):
        yield disk
