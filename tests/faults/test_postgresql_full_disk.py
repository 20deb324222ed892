"""PostgreSQL on a disk that is full: nothing is acknowledged that is not kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import small_disks
from coatcheck import BackendError, BackendUnavailable, OutcomeUnknown
from postgresql_places import FACES, Place, new_place
from servers import PostgresServer
from sqlite_files import twenty_operations

MEGABYTES = 96


@pytest.fixture
def disk_and_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Any, PostgresServer]]:
    """A server on a disk of its own."""
    monkeypatch.setattr(small_disks, "SIZE", MEGABYTES << 20)
    for directory in (tmp_path, *tmp_path.parents[:2]):
        directory.chmod(0o755)  # PostgreSQL's user must get through
    place = tmp_path / "disk"
    place.mkdir()
    with small_disks.small_tmpfs(place) as disk:
        if disk is None:
            pytest.skip("mounting a disk needs a right that this user has not")
        settings = {"wal_level": "minimal", "max_wal_senders": 0, "max_wal_size": "32MB",
                    "min_wal_size": "32MB"}  # fmt: skip
        with PostgresServer(settings, directory=place) as server:
            yield disk, server


@pytest.mark.parametrize("face", FACES)
def test_a_full_disk_is_unavailable_and_what_was_acknowledged_is_there(
    disk_and_server: tuple[Any, PostgresServer], face: str
) -> None:
    disk, server = disk_and_server
    with new_place(server.url) as place:
        sessions = place.open(face)
        kept = [sessions.issue("ann", method="password").token for _ in range(3)]
        disk.fill()
        refused = _fill(place, sessions, kept)
        assert isinstance(refused, (BackendUnavailable, OutcomeUnknown)), refused
        assert all(sessions.validate(token, touch=False) for token in kept[:3])
        disk.free()
        assert all(map(sessions.validate, kept))
        twenty_operations(sessions)


def _fill(place: Place, sessions: Any, kept: list[str]) -> BackendError:
    """Issue until there is no more room; what was acknowledged is added to `kept`."""
    for _ in range(20_000):
        try:
            issued = sessions.issue("bob", method="password", metadata={"fill": "x" * 8000})
        except BackendError as error:
            return error
        kept.append(issued.token)
    raise AssertionError("the disk was never full")
