"""Another process holds the database: writes end in time, reads go on, and then all is well."""

from __future__ import annotations

import asyncio
import logging
import threading
from datetime import timedelta
from time import monotonic

import pytest

from coatcheck import AsyncSessionManager, BackendError, BackendUnavailable, RejectionReason
from sqlite_files import OLD_PEPPER, PEPPER, Place, failing, reads_of, twenty_operations, writes_of
from sqlite_files import within as no_longer_than
from workers import Worker

DEADLINE = timedelta(seconds=0.1)


@pytest.fixture(params=["IMMEDIATE", "EXCLUSIVE"])
def how(request: pytest.FixtureRequest) -> str:
    return request.param


def locked_by(place: Place, how: str) -> Worker:
    worker = place.worker()
    worker.ask("lock", how=how)
    return worker


def test_every_write_ends_within_the_deadline_and_changes_nothing(
    place: Place, face: str, how: str
) -> None:
    sessions = place.open(face, deadline=DEADLINE)
    issued = sessions.issue("ann", method="password")
    before = place.row(issued.session.id)
    worker = locked_by(place, how)
    for call in writes_of(sessions, issued.session.id).values():
        with failing(BackendUnavailable, DEADLINE):
            call()
    worker.ask("unlock")
    assert place.row(issued.session.id) == before
    assert sessions.count() == 1
    twenty_operations(sessions)


def test_every_read_goes_on_at_once(place: Place, face: str, how: str) -> None:
    sessions = place.open(face, deadline=timedelta(seconds=30))
    issued = sessions.issue("ann", method="password")
    locked_by(place, how)
    for call in reads_of(sessions, issued.session.id, issued.token).values():
        with no_longer_than(1):
            call()


def test_a_revoked_token_is_refused_and_an_unknown_one_too(
    place: Place, face: str, how: str
) -> None:
    sessions = place.open(face, deadline=DEADLINE)
    issued = sessions.issue("ann", method="password")
    assert sessions.revoke(issued.session.id)
    locked_by(place, how)
    assert sessions.validate(issued.token).reason is RejectionReason.UNKNOWN


def test_a_due_touch_is_given_up_after_a_tenth_of_the_deadline_and_logged(
    place: Place, face: str, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    sessions = place.open(face, deadline=timedelta(seconds=2), touch_interval=timedelta(0))
    issued = sessions.issue("ann", method="password")
    worker = locked_by(place, how)
    with caplog.at_level(logging.WARNING), no_longer_than(0.2 + 0.4):
        session = sessions.validate(issued.token)
    assert session
    assert session.last_used_at == issued.session.last_used_at
    [record] = caplog.records
    assert str(issued.session.id) in record.getMessage()
    assert "its use was not recorded" in record.getMessage()
    worker.ask("unlock")
    assert sessions.validate(issued.token).last_used_at > issued.session.last_used_at


def test_a_rewrite_of_the_hash_is_given_up_too_and_made_up_for_later(
    place: Place, face: str, caplog: pytest.LogCaptureFixture
) -> None:
    token = place.open(pepper=OLD_PEPPER).issue("ann", method="password").token
    sessions = place.open(face, deadline=timedelta(seconds=1), fallback_peppers=[OLD_PEPPER])
    first = sessions.pepper_status()[0].pepper_id
    worker = locked_by(place, "IMMEDIATE")
    with caplog.at_level(logging.WARNING), no_longer_than(0.1 + 0.4):
        session = sessions.validate(token)
    assert session
    assert session.pepper_id != first
    assert "its outdated hash was not rewritten" in caplog.text
    worker.ask("unlock")
    assert sessions.validate(token).pepper_id == first
    assert place.open(pepper=PEPPER).validate(token)


def test_a_write_that_waits_is_done_as_soon_as_the_lock_is_gone(place: Place, face: str) -> None:
    sessions = place.open(face, deadline=timedelta(seconds=20))
    worker = locked_by(place, "IMMEDIATE")
    unlocking = threading.Timer(0.2, worker.ask, ["unlock"])
    unlocking.start()
    with no_longer_than(2):
        assert sessions.issue("ann", method="password")
    unlocking.join()


def test_twenty_threads_that_write_all_end_within_the_deadline(place: Place) -> None:
    sessions = place.open(deadline=DEADLINE)
    worker = locked_by(place, "IMMEDIATE")
    ended: list[tuple[float, type]] = []

    def write() -> None:
        began = monotonic()
        try:
            sessions.issue("ann", method="password")
        except BackendError as error:
            ended.append((monotonic() - began, type(error)))

    threads = [threading.Thread(target=write) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {kind for _, kind in ended} == {BackendUnavailable}
    assert len(ended) == 20
    assert max(taken for taken, _ in ended) < 0.6
    worker.ask("unlock")
    assert sessions.count() == 0
    twenty_operations(sessions)


def test_tasks_that_write_all_end_within_the_deadline_and_the_loop_goes_on(place: Place) -> None:
    place.open().close()
    worker = locked_by(place, "IMMEDIATE")

    async def heartbeat(gaps: list[float]) -> None:
        before = monotonic()
        while True:
            await asyncio.sleep(0.001)
            now = monotonic()
            gaps.append(now - before)
            before = now

    async def scenario() -> None:
        # Long against what a busy machine or a collection of garbage takes out of a process.
        options = {"pepper": PEPPER, "deadline": timedelta(seconds=1)}
        async with AsyncSessionManager.open(place.url, prepare=False, **options) as sessions:
            gaps: list[float] = []
            beating = asyncio.create_task(heartbeat(gaps))
            began = monotonic()
            writes = [sessions.issue("ann", method="password") for _ in range(20)]
            answers = await asyncio.gather(*writes, return_exceptions=True)
            taken = monotonic() - began
            beating.cancel()
            assert {type(answer) for answer in answers} == {BackendUnavailable}
            assert 1 <= taken < 1.5
            # A loop that waited for one of them stood still for as long as it waited.
            assert max(gaps) < 0.5
            worker.ask("unlock")
            assert await sessions.count() == 0
            assert await sessions.validate((await sessions.issue("ann", method="password")).token)

    asyncio.run(scenario())


def test_opening_waits_no_longer_than_the_deadline_either(place: Place, face: str) -> None:
    # A file that is to be made anew, while another process holds it before it is in WAL mode.
    place.path.touch()
    worker = locked_by(place, "EXCLUSIVE")
    with failing(BackendUnavailable, DEADLINE):
        place.open(face, deadline=DEADLINE)
    worker.ask("unlock")
    twenty_operations(place.open(face, deadline=timedelta(seconds=5)))
