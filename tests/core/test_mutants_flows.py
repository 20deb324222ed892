"""What mutation testing found that no other test held: the steps that flows yield, one by one,
and the bounds at which they choose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from coatcheck import (
    BackendInfo,
    InvalidInput,
    Record,
    Secret,
    SessionManager,
    SessionRef,
    Unsupported,
    Where,
    hookimpl,
)
from coatcheck._flows import bulk, composed
from coatcheck._flows.steps import Ask, Flow, Time, Work
from coatcheck._flows.validate import _is_touch_due, _rewrite
from coatcheck_backends.memory import MemoryBackend

PEPPERS = [f"pepper number {n} of the tests of the flows, long enough" for n in range(2)]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
END = datetime(9000, 1, 1, tzinfo=UTC)


def record(number: int, **fields: Any) -> Record:
    whole = Record(UUID(int=number), "u", "m", frozenset(), "{}", 0, 0, None, None, "h", "p")
    return whole._replace(**fields)


def ref(number: int) -> SessionRef:
    return SessionRef(UUID(int=number), "u", "m")


def played(flow: Flow[Any], *answers: Any) -> tuple[list[Any], Any]:
    """The questions of a flow that gets these answers, and its end."""
    asked: list[Any] = []
    answer = None
    given = iter(answers)
    while True:
        try:
            step = flow.send(answer)
        except StopIteration as end:
            assert next(given, asked) is asked, "an answer is left"
            return asked, end.value
        assert isinstance(step, Ask)
        assert step.time is (Time.PAGE if step.hook == "find" else Time.CALL)
        asked.append((step.hook, *step.args))
        answer = next(given)


def page(after: int | None, limit: int, where: Where | None = None) -> tuple[Any, ...]:
    return ("find", where or Where(), after if after is None else UUID(int=after), limit)


def test_counting_walks_on_from_the_last_of_each_page() -> None:
    asked, number = played(composed.count(Where()), [record(1), record(2)], [record(3)], [])
    assert asked == [page(None, 1000), page(2, 1000), page(3, 1000)]
    assert number == 3


def test_counting_by_pepper_walks_on_from_the_last_of_each_page() -> None:
    first, second = [record(1), record(2, pepper_id="q")], [record(3)]
    asked, numbers = played(composed.pepper_counts(), first, second, [])
    assert asked == [page(None, 1000), page(2, 1000), page(3, 1000)]
    assert numbers == {"p": 2, "q": 1}


def test_an_update_of_all_counts_those_that_still_matched() -> None:
    changes: Any = {"metadata": "{}"}
    where = Where(user_id="u")
    asked, number = played(
        composed.update_where(where, changes),
        [record(1), record(2)], record(1), None, [record(3)], record(3), [],
    )  # fmt: skip
    updates = [("update", UUID(int=n), changes, where) for n in (1, 2, 3)]
    assert asked == [
        page(None, 100, where), *updates[:2], page(2, 100, where), *updates[2:], page(3, 100, where)
    ]  # fmt: skip
    assert number == 2


def test_a_revocation_of_all_walks_past_those_to_keep() -> None:
    asked, refs = played(
        composed.delete_where(Where(), frozenset({UUID(int=1), UUID(int=3)})),
        [record(1), record(2), record(3)], ref(2), [record(4), record(5)], None, ref(5), [],
    )  # fmt: skip
    deletes = [("delete", UUID(int=n), Where()) for n in (2, 4, 5)]
    assert asked == [page(None, 100), *deletes[:1], page(3, 100), *deletes[1:], page(5, 100)]
    assert refs == [ref(2), ref(5)]


def test_a_purge_asks_for_what_is_left_of_its_limit_and_stops_there() -> None:
    asked, number = played(
        composed.purge(Where(), 102),
        [record(1), record(2), record(3)], ref(1), None, ref(3), [record(4)], ref(4),
        [record(n) for n in range(5, 104)], *[ref(n) for n in range(5, 104)],
    )  # fmt: skip
    assert [step for step in asked if step[0] == "find"] == [
        page(None, 100), page(3, 100), page(4, 99)
    ]  # fmt: skip
    assert number == 102


def test_a_purge_ends_where_nothing_is_left() -> None:
    asked, number = played(composed.purge(Where(), 9), [record(1)], ref(1), [])
    assert [step for step in asked if step[0] == "find"] == [page(None, 9), page(1, 8)]
    assert number == 1


@pytest.fixture
def sessions() -> Iterator[SessionManager]:
    options: dict[str, Any] = {"pepper": PEPPERS[0], "fallback_peppers": PEPPERS[1:]}
    with SessionManager(
        MemoryBackend(), **options, clock=lambda: NOW, touch_interval=timedelta(seconds=1)
    ) as manager:
        yield manager


def test_what_a_flow_stands_on_cannot_be_changed(sessions: SessionManager) -> None:
    with pytest.raises(FrozenInstanceError):
        sessions._core.in_transaction = True  # type: ignore[misc]
    assert not hasattr(sessions._core, "__dict__")
    assert sessions._core.in_transaction is False
    assert sessions._core.inside_transaction().in_transaction is True


def test_a_pepper_with_no_session_left_has_none(sessions: SessionManager) -> None:
    assert [(s.place, s.sessions) for s in sessions.pepper_status()] == [(0, 0), (1, 0)]
    sessions.issue("user", method="m")
    assert [(s.place, s.sessions) for s in sessions.pepper_status()] == [(0, 1), (1, 0)]


def test_a_lifetime_ends_before_the_year_9000() -> None:
    late = datetime(8999, 12, 31, tzinfo=UTC)
    with SessionManager(MemoryBackend(), pepper=PEPPERS[0], clock=lambda: late) as sessions:
        last = sessions.issue("user", method="m", lifetime=END - late - MILLISECOND)
        assert last.session.expires_at == END - MILLISECOND
        for lifetime in (END - late, END - late + MILLISECOND):
            with pytest.raises(InvalidInput, match="before the year 9000"):
                sessions.issue("user", method="m", lifetime=lifetime)


def test_a_filter_that_is_none_says_how_to_match_all(sessions: SessionManager) -> None:
    for name in ("user_id", "method", "scope", "pepper_id", "live"):
        with pytest.raises(InvalidInput, match=f"{name} must not be None; leave"):
            sessions.find(**{name: None})


def test_a_page_of_nothing_asks_the_store_nothing(sessions: SessionManager) -> None:
    assert played(bulk.find(sessions._core, 0, {}, 0, None)) == ([], [])


@pytest.mark.parametrize("scheme", ["hmac-sha256", "argon2id"])
def test_an_argon2_is_computed_where_it_blocks_no_one_and_a_fast_hash_at_once(scheme: str) -> None:
    with SessionManager(MemoryBackend(), pepper=PEPPERS[0], hash_scheme=scheme) as sessions:
        flow = _rewrite(sessions._core, record(1), Secret(b"s" * 32))
        step = flow.send(None)
        if scheme == "argon2id":
            assert isinstance(step, Work)
            step = flow.send("new")
        assert isinstance(step, Ask)
        assert (step.hook, step.time) == ("replace_key_hash", Time.TENTH)
        flow.close()


def test_a_pepper_that_is_unknown_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    backend = MemoryBackend()
    with SessionManager(backend, pepper=PEPPERS[0]) as first:
        token = first.issue("user", method="m").token
        with SessionManager(backend, pepper=PEPPERS[1]) as second:
            assert not second.validate(token)
            assert not second.validate(token)
    assert [logged.levelname for logged in caplog.records] == ["ERROR"]


class WithoutScan(MemoryBackend):
    """A store that finds sessions by their user alone."""

    @hookimpl
    def info(self) -> BackendInfo:
        return BackendInfo("by user", 1, {"linearizable"})


def test_a_store_that_cannot_scan_is_asked_for_a_users_sessions_alone() -> None:
    with SessionManager(WithoutScan(), pepper=PEPPERS[0]) as sessions:
        issued = sessions.issue("user", method="m")
        assert sessions.find(user_id="user") == [issued.session]
        assert sessions.count(user_id="user", method="m") == 1
        for call in (sessions.find, sessions.count):
            with pytest.raises(Unsupported, match=f"{call.__name__} without user_id needs .*scan"):
                call(method="m")
        for wide in (sessions.purge, sessions.pepper_status):
            with pytest.raises(Unsupported, match=wide.__name__):
                wide()


@pytest.mark.parametrize(
    ("timeout", "due"),
    [
        (None, 1000),
        (10_001, 1000),
        (10_999, 1000),
        (10_000, 1000),
        (9_999, 999),
        (9_500, 950),
        (1_000, 100),
        (19, 1),
        (9, 0),
    ],
)
def test_a_touch_is_due_from_the_interval_or_a_tenth_of_a_shorter_timeout(
    sessions: SessionManager, timeout: int | None, due: int
) -> None:
    used = record(1, last_used_at=500, inactivity_timeout=timeout)
    assert [_is_touch_due(sessions._core, used, 500 + due + n) for n in (-1, 0, 1)] == [
        False, True, True
    ]  # fmt: skip
