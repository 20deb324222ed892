"""Several processes on one file: each sees what another did at once, and none takes it along."""

from __future__ import annotations

import random
from uuid import UUID

import pytest

from killed_at_work import Acknowledged, killed_after
from sqlite_files import PEPPER, Place, twenty_operations
from workers import Worker


def test_a_second_and_a_third_process_see_a_change_at_their_next_validation(
    place: Place, face: str
) -> None:
    sessions = place.open(face)
    issued = sessions.issue("ann", method="password", scopes={"read"})
    others = [place.worker(), place.worker()]
    for other in others:
        assert other.ask("validate", token=issued.token) == ["read"]
    for scopes in ({"write"}, set(), {"a", "b", "c"}):
        sessions.update(issued.session.id, scopes=scopes)
        for other in others:
            assert other.ask("validate", token=issued.token) == sorted(scopes)
    sessions.revoke(issued.session.id)
    for other in others:
        assert other.ask("validate", token=issued.token) == "unknown"


def test_and_this_process_sees_what_they_did(place: Place, face: str) -> None:
    sessions = place.open(face)
    one, two = place.worker(), place.worker()
    for n in range(20):
        issued = sessions.issue("ann", method="password")
        assert sessions.validate(issued.token)
        session_id = str(issued.session.id)
        assert one.ask("update", session_id=session_id, scopes=[str(n)])
        assert sessions.validate(issued.token).scopes == {str(n)}
        assert two.ask("revoke", session_id=session_id) is True
        assert sessions.validate(issued.token).reason == "unknown"
        assert one.ask("revoke", session_id=session_id) is False


def test_what_a_killed_process_had_acknowledged_is_there(place: Place) -> None:
    lengths = random.Random(2)
    all_of_it = Acknowledged()
    for _ in range(4):
        with Worker(place.url, PEPPER) as worker:
            heard = killed_after(worker, lengths.uniform(0.02, 0.3))
        # From a process that was not there, since this one may have kept the WAL alive.
        sessions = place.open()
        heard.check(sessions)
        twenty_operations(sessions)
        sessions.close()
        all_of_it.tokens |= heard.tokens
        all_of_it.scopes |= heard.scopes
        all_of_it.begun |= heard.begun
        all_of_it.revoked |= heard.revoked
    sessions = place.open()
    all_of_it.check(sessions)
    assert len(all_of_it.revoked) > 10
    assert len(all_of_it.tokens) - len(all_of_it.revoked) > 20
    assert not [uuid for uuid in all_of_it.revoked if sessions.revoke(UUID(uuid))]


def test_it_is_there_too_when_others_were_at_work_meanwhile(place: Place, face: str) -> None:
    sessions = place.open(face)
    kept = sessions.issue("kept", method="password")
    workers = [place.worker(), place.worker()]
    heard = [killed_after(worker, 0.15) for worker in workers]
    for each in heard:
        each.check(sessions)
    assert sessions.validate(kept.token)
    twenty_operations(sessions)


def test_the_check_finds_what_was_undone_and_what_was_lost(place: Place) -> None:
    with Worker(place.url, PEPPER) as worker:
        heard = killed_after(worker, 0.1)
    sessions = place.open()
    heard.check(sessions)
    gone = next(iter(heard.revoked))
    with pytest.raises(AssertionError, match="sign-in is lost"):
        Acknowledged({gone: heard.tokens[gone]}).check(sessions)
    present = sessions.find(limit=1)[0]
    heard.revoked.add(str(present.id))
    with pytest.raises(AssertionError, match="revocation was undone"):
        heard.check(sessions)
