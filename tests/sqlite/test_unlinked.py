"""The file is taken away or replaced under a manager's feet: SQLite says nothing, so we must."""

from __future__ import annotations

import shutil
import threading
from datetime import timedelta
from pathlib import Path
from time import monotonic, sleep

import pytest

from coatcheck import BackendError, BackendUnavailable, OutcomeUnknown, RejectionReason
from sqlite_files import Place, reads_of, twenty_operations, verdict, writes_of


def taken_away(place: Place) -> Path:
    """The file, its WAL and its index, moved elsewhere on the same disk."""
    elsewhere = place.path.parent / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    for file in place.files():
        file.rename(elsewhere / file.name)
    return elsewhere


def brought_back(place: Place) -> None:
    for file in place.files():
        file.unlink()
    for file in (place.path.parent / "elsewhere").iterdir():
        file.rename(place.path.parent / file.name)


def test_every_call_says_so_and_all_is_well_when_it_is_back(place: Place, face: str) -> None:
    sessions = place.open(face)
    issued = sessions.issue("ann", method="password")
    taken_away(place)
    calls = reads_of(sessions, issued.session.id, issued.token)
    for _ in range(2):
        for call in (calls | writes_of(sessions, issued.session.id)).values():
            with pytest.raises((BackendUnavailable, OutcomeUnknown)):
                call()
    assert not place.path.exists(), "and nothing was made in its place"
    brought_back(place)
    assert sessions.validate(issued.token) == issued.session
    twenty_operations(sessions)


def test_a_deleted_file_is_never_read_on(place: Place, face: str) -> None:
    sessions = place.open(face)
    issued = sessions.issue("ann", method="password")
    assert sessions.validate(issued.token)
    for file in place.files():
        file.unlink()
    for _ in range(20):
        with pytest.raises(BackendUnavailable):
            sessions.validate(issued.token)
        with pytest.raises((BackendUnavailable, OutcomeUnknown)):
            sessions.revoke(issued.session.id)


def test_another_store_in_its_place_counts_at_once(place: Place, face: str, tmp_path: Path) -> None:
    sessions = place.open(face)
    old = sessions.issue("ann", method="password")
    (tmp_path / "other").mkdir()
    other = Place(tmp_path / "other")
    new = other.open().issue("bob", method="password")
    other.close()
    taken_away(place)
    shutil.copy(other.path, place.path)
    assert sessions.validate(old.token).reason is RejectionReason.UNKNOWN
    assert sessions.validate(new.token) == new.session
    assert sessions.revoke(new.session.id)
    assert not sessions.validate(new.token)
    assert place.row(new.session.id) is None, "the change went into the file that is there"
    twenty_operations(sessions)
    brought_back(place)
    assert sessions.validate(old.token) == old.session
    assert not sessions.validate(new.token)


@pytest.mark.parametrize("content", [b"", b"no database at all" * 1000, b"SQLite format 3\0"])
def test_anything_else_in_its_place_is_an_error_and_accepts_nobody(
    place: Place, face: str, content: bytes
) -> None:
    sessions = place.open(face)
    issued = sessions.issue("ann", method="password")
    taken_away(place)
    place.path.write_bytes(content)
    for _ in range(3):
        assert isinstance(verdict(sessions, issued.token), BackendError)
        for call in writes_of(sessions, issued.session.id).values():
            with pytest.raises(BackendError):
                call()
    assert place.path.read_bytes() == content, "what is not ours was left alone"
    brought_back(place)
    assert sessions.validate(issued.token) == issued.session
    twenty_operations(sessions)


def test_a_directory_in_its_place_is_an_error(place: Place, face: str) -> None:
    sessions = place.open(face)
    token = sessions.issue("ann", method="password").token
    taken_away(place)
    place.path.mkdir()
    assert isinstance(verdict(sessions, token), BackendUnavailable)
    place.path.rmdir()
    brought_back(place)
    assert sessions.validate(token)


def test_a_change_whose_file_went_while_it_waited_is_not_acknowledged(
    place: Place, face: str
) -> None:
    sessions = place.open(face, deadline=timedelta(seconds=20))
    issued = sessions.issue("ann", method="password")
    worker = place.worker()
    worker.ask("lock", how="IMMEDIATE")

    def take_away_and_unlock() -> None:
        sleep(0.2)  # for the revocation below to be waiting
        taken_away(place)
        worker.ask("unlock")

    meanwhile = threading.Thread(target=take_away_and_unlock)
    meanwhile.start()
    began = monotonic()
    with pytest.raises((OutcomeUnknown, BackendUnavailable)):
        sessions.revoke(issued.session.id)
    assert monotonic() - began < 5
    meanwhile.join()
    brought_back(place)
    sessions.revoke(issued.session.id)
    assert sessions.validate(issued.token).reason is RejectionReason.UNKNOWN
    twenty_operations(sessions)


def test_a_file_that_was_damaged_is_an_error_and_accepts_nobody(place: Place, face: str) -> None:
    sessions = place.open(face)
    issued = [sessions.issue(f"user {n}", method="password") for n in range(50)]
    place.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    page = int(place.sql("PRAGMA page_size")[0][0])
    whole = place.path.read_bytes()
    with place.path.open("r+b") as file:
        file.seek(page)
        file.write(b"\xa5" * (len(whole) - page))
    for each in issued[::10]:
        # What a connection has cached is right; from the disk there is nothing to be had.
        answer = verdict(sessions, each.token)
        assert isinstance(answer, BackendError) or answer == each.session
    with pytest.raises(BackendError):
        place.open(face)
    place.path.write_bytes(whole)
    assert place.open(face).validate(issued[0].token) == issued[0].session
