"""A full disk: what finds no room is an error, what is stored can be read, and room heals all."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from coatcheck import BackendUnavailable
from small_disks import Disk, limited_pages, small_tmpfs
from sqlite_files import Place, twenty_operations


@pytest.fixture(params=["tmpfs", "page limit"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """Where nothing may be mounted, the limit on pages stands in for the tmpfs."""
    if request.param == "tmpfs":
        with small_tmpfs(tmp_path) as mounted:
            if mounted is not None:
                yield mounted
                return
    with limited_pages(tmp_path) as limited:
        yield limited


def until_full(sessions: Any, disk: Disk) -> None:
    """Fill the disk, and whatever room is left in the pages that SQLite has already."""
    disk.fill()

    def sign_in_without_end() -> None:
        for n in range(1000):
            sessions.issue(f"filler {n}", method="password", metadata={"filler": "x" * 2000})

    with pytest.raises(BackendUnavailable):
        sign_in_without_end()


def test_a_sign_in_is_refused_and_those_who_are_signed_in_stay(
    place: Place, disk: Disk, face: str
) -> None:
    sessions = place.open(face)
    issued = [sessions.issue(f"user {n}", method="password") for n in range(5)]
    until_full(sessions, disk)
    stored = sessions.count()
    for _ in range(3):
        with pytest.raises(BackendUnavailable, match="full"):
            sessions.issue("one more", method="password", metadata={"filler": "x" * 6000})
        for each in issued:
            assert sessions.validate(each.token) == each.session
    assert sessions.count() == stored
    disk.free()
    twenty_operations(sessions)
    assert sessions.count() == stored


def test_a_revocation_that_finds_no_room_is_an_error_and_can_be_repeated(
    tmp_path: Path, face: str
) -> None:
    # Only with a real disk: a deletion needs no new page, but it needs room in the WAL.
    with small_tmpfs(tmp_path) as disk:
        if disk is None:
            with limited_pages(tmp_path) as limited:
                _revoking(Place(tmp_path), limited, face, refused=False)
        else:
            _revoking(Place(tmp_path), disk, face, refused=True)


def _revoking(place: Place, disk: Disk, face: str, *, refused: bool) -> None:
    sessions = place.open(face)
    issued = [sessions.issue(f"user {n}", method="password") for n in range(5)]
    until_full(sessions, disk)
    for each in issued:
        if refused:
            with pytest.raises(BackendUnavailable, match="full"):
                sessions.revoke(each.session.id)
            assert sessions.validate(each.token) == each.session
        else:
            assert sessions.revoke(each.session.id)
    disk.free()
    for each in issued:
        assert sessions.revoke(each.session.id) is refused
        assert not sessions.validate(each.token)
    twenty_operations(sessions)
    place.close()


def test_a_touch_that_finds_no_room_fails_no_validation(
    place: Place, face: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with small_tmpfs(tmp_path) as disk:
        if disk is None:
            return _touching_with_little_room(place, face, tmp_path)
        sessions = place.open(face, touch_interval=timedelta(0))
        issued = sessions.issue("ann", method="password")
        until_full(sessions, disk)
        with caplog.at_level(logging.WARNING):
            session = sessions.validate(issued.token)
        assert session
        assert session.last_used_at == issued.session.last_used_at
        assert "its use was not recorded (BackendUnavailable)" in caplog.text
        disk.free()
        assert sessions.validate(issued.token).last_used_at > issued.session.last_used_at
        return place.close()


def _touching_with_little_room(place: Place, face: str, directory: Path) -> None:
    with limited_pages(directory) as disk:
        sessions = place.open(face, touch_interval=timedelta(0))
        issued = sessions.issue("ann", method="password")
        until_full(sessions, disk)
        assert sessions.validate(issued.token)


def test_a_store_that_cannot_be_made_for_lack_of_room_is_an_error_and_made_later(
    tmp_path: Path, face: str
) -> None:
    with small_tmpfs(tmp_path) as disk:
        if disk is None:
            return _made_with_a_limit(tmp_path, face)
        disk.fill()
        place = Place(tmp_path)
        with pytest.raises(BackendUnavailable):
            place.open(face)
        disk.free()
        twenty_operations(place.open(face))
        return place.close()


def _made_with_a_limit(directory: Path, face: str) -> None:
    place = Place(directory)
    with limited_pages(directory) as disk:
        place.open(face).close()
        disk.connections.clear()
        twenty_operations(place.open(face))
    place.close()
