"""Observers: what each is told, when, in which order, and that none of it holds a secret."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator

import pytest

from coatcheck import (
    BackendUnavailable,
    InvalidInput,
    IssueDenied,
    Rejection,
    RejectionReason,
    Session,
    SessionRef,
    hookimpl,
)
from coatcheck._contract.hookspec import EVENT_HOOKS
from failing_stores import Failing, FailingRequired, Listener
from observed_lives import HOUR, Stand, life


@pytest.fixture(params=["sync", "async"])
def runner(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner | None]:
    if request.param == "sync":
        yield None
        return
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def stand(runner: asyncio.Runner | None) -> Stand:
    return Stand(runner)


@pytest.mark.parametrize("cover", [Failing, FailingRequired])
def test_each_event_is_told_once_with_what_happened(
    runner: asyncio.Runner | None, cover: type
) -> None:
    stand, listener = Stand(runner, cover), Listener()
    happened = life(stand, stand.open(listener))
    issued, second, third = (happened[name] for name in ("issued", "second", "third"))
    unknown = Rejection(RejectionReason.UNKNOWN, issued.session.id)
    expired = Rejection(RejectionReason.EXPIRED, second.session.id)
    assert listener.take() == [
        ("session_issuing", issued.session),
        ("session_issued", issued.session),
        ("session_issuing", second.session),
        ("session_issued", second.session),
        ("session_updated", happened["updated"], frozenset({"scopes", "metadata"})),
        ("sessions_updated", 1, frozenset({"scopes"})),
        ("sessions_revoked", [SessionRef(issued.session.id, "ann", "password")]),
        ("session_rejected", unknown),
        ("session_rejected", expired),
        ("sessions_purged", 1),
        ("session_issuing", third.session),
        ("session_issued", third.session),
        ("sessions_revoked", [SessionRef(third.session.id, "eve", "password")]),
    ]
    assert (happened["rejected"], happened["ended"]) == (unknown, expired)


def test_the_life_of_a_session_reaches_every_event_there_is(stand: Stand) -> None:
    listener = Listener()
    life(stand, stand.open(listener))
    assert {event for event, *_ in listener.take()} == set(EVENT_HOOKS)


def test_nothing_is_told_of_what_did_nothing(stand: Stand) -> None:
    listener = Listener()
    sessions = stand.open(listener)
    issued = sessions.issue("ann", method="password")
    sessions.revoke(issued.session.id)
    listener.take()
    assert sessions.revoke(issued.session.id) is False
    assert sessions.update(issued.session.id, scopes={"a"}) is None
    assert sessions.update_all(user_id="ann", scopes={"a"}) == 0
    assert sessions.revoke_all(user_id="ann") == []
    assert sessions.purge() == 0
    assert sessions.get(issued.session.id) is None
    assert (sessions.find(), sessions.count()) == ([], 0)
    assert listener.take() == []


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_nothing_is_told_of_a_call_that_failed(stand: Stand, after: bool) -> None:
    listener = Listener()
    sessions = stand.open(listener)
    issued = sessions.issue("ann", method="password")
    calls: list[Callable[[], object]] = [
        lambda: sessions.issue("bob", method="password"),
        lambda: sessions.validate(issued.token),
        lambda: sessions.update(issued.session.id, scopes={"a"}),
        lambda: sessions.update_all(user_id="ann", scopes={"a"}),
        lambda: sessions.revoke_all(user_id="bob"),
        sessions.purge,
        lambda: sessions.revoke(issued.session.id),
    ]
    for call in calls:
        listener.take()
        stand.store.arm(0, lambda: BackendUnavailable("away"), after=after)
        with pytest.raises(BackendUnavailable):
            call()
        assert [event for event, *_ in listener.take() if event != "session_issuing"] == []


def test_nothing_is_told_of_input_that_was_refused(stand: Stand) -> None:
    listener = Listener()
    sessions = stand.open(listener)
    for wrong in ({"scopes": "bare"}, {"metadata": []}, {"lifetime": HOUR, "expires_at": None}):
        with pytest.raises(InvalidInput):
            sessions.issue("ann", method="password", **wrong)
    with pytest.raises(InvalidInput):
        sessions.revoke_all()
    assert listener.take() == []


class Named:
    """Notes its name, and then may raise."""

    def __init__(self, name: str, order: list[str], error: Exception | None = None) -> None:
        self.name, self.order, self.error = name, order, error

    @hookimpl
    def session_issuing(self, session: Session) -> None:
        self._note("issuing")

    @hookimpl
    def session_issued(self, session: Session) -> None:
        self._note("issued")

    @hookimpl
    def sessions_revoked(self, sessions: list[SessionRef]) -> None:
        self._note("revoked")

    def _note(self, event: str) -> None:
        self.order.append(f"{event} {self.name}")
        if self.error is not None and event != "issuing":
            raise self.error


def test_observers_are_told_in_the_order_in_which_they_were_given(stand: Stand) -> None:
    order: list[str] = []
    stand.open(*[Named(name, order) for name in "abc"]).issue("ann", method="password")
    assert order == [f"{event} {name}" for event in ("issuing", "issued") for name in "abc"]


def test_one_that_raises_is_logged_and_passed_over(
    stand: Stand, caplog: pytest.LogCaptureFixture
) -> None:
    order: list[str] = []
    plugins = [Named("a", order, LookupError("canary")), Named("b", order)]
    sessions = stand.open(*plugins)
    with caplog.at_level(logging.DEBUG):
        issued = sessions.issue("ann", method="password")
        assert sessions.validate(issued.token)
        assert sessions.revoke(issued.session.id) is True
        assert not sessions.validate(issued.token)
    assert order == ["issuing a", "issuing b", "issued a", "issued b", "revoked a", "revoked b"]
    assert [record.getMessage() for record in caplog.records] == [
        "an observer of session_issued failed with LookupError",
        "an observer of sessions_revoked failed with LookupError",
    ]
    assert "canary" not in caplog.text


@pytest.mark.parametrize("error", [PermissionError("blocked"), IssueDenied("too many devices")])
def test_whoever_is_asked_before_can_deny_the_sign_in(stand: Stand, error: Exception) -> None:
    asked: list[str] = []

    class Doorman:
        @hookimpl
        def session_issuing(self, session: Session) -> None:
            asked.append(session.user_id)
            raise error

    listener, later = Listener(), Listener()
    sessions = stand.open(listener, Doorman(), later)
    with pytest.raises(IssueDenied) as raised:
        sessions.issue("ann", method="password")
    assert raised.value is error or raised.value.__cause__ is error
    assert asked == ["ann"]
    assert sessions.count() == 0
    assert [event for event, *_ in listener.take()] == ["session_issuing"]
    assert later.take() == [], "the first no is the last word"


def test_observers_of_the_asynchronous_manager_may_be_asynchronous() -> None:
    order: list[str] = []

    class Awaited:
        @hookimpl
        async def session_issuing(self, session: Session) -> None:
            await asyncio.sleep(0)
            order.append("asked")
            if session.user_id == "mallory":
                raise PermissionError

        @hookimpl
        async def session_issued(self, session: Session) -> None:
            await asyncio.sleep(0)
            order.append("told")
            raise LookupError

    with asyncio.Runner() as runner:
        stand = Stand(runner)
        sessions = stand.open(Awaited(), Named("b", order))
        issued = sessions.issue("ann", method="password")
        assert order == ["asked", "issuing b", "told", "issued b"]
        assert sessions.validate(issued.token)
        with pytest.raises(IssueDenied) as raised:
            sessions.issue("mallory", method="password")
        assert isinstance(raised.value.__cause__, PermissionError)
        assert sessions.count() == 1


def test_a_changed_list_is_the_observers_own(stand: Stand) -> None:
    class Greedy:
        @hookimpl
        def sessions_revoked(self, sessions: list[SessionRef]) -> None:
            sessions.clear()

    sessions = stand.open(Greedy())
    sessions.issue("ann", method="password")
    assert len(sessions.revoke_all(user_id="ann")) == 1
