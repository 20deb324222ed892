"""The store fails at the n-th call of an operation, before it or after, for every n there is."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from coatcheck import (
    BackendError,
    BackendUnavailable,
    CoatcheckError,
    OutcomeUnknown,
    RejectionReason,
    Session,
)
from coatcheck_conformance.clock import Clock
from coatcheck_conformance.relay import WRITE_HOOKS
from failing_stores import Failing, FailingRequired, Listener, chain_of
from sqlite_files import FACES, OLD_PEPPER, Place, twenty_operations

CANARY = "canary-of-a-driver"
NEGLIGIBLE = ("touch", "replace_key_hash")
OPERATIONS = (
    "issue", "validate", "get", "find", "count", "update", "update_all", "revoke", "revoke_all",
    "purge", "pepper_status", "ping",
)  # fmt: skip
EVENTS = {"issue": "session_issued", "update": "session_updated", "update_all": "sessions_updated",
          "revoke": "sessions_revoked", "revoke_all": "sessions_revoked",
          "purge": "sessions_purged"}  # fmt: skip


class Stand:
    """A store that can fail, a manager over it, and sessions of each kind that matters."""

    def __init__(self, place: Place, face: str, *, required_only: bool) -> None:
        cover = FailingRequired if required_only else Failing
        self.place = place
        self.clock = Clock()
        self.listener = Listener()
        self.first_day: list[Any] | None = None
        self.store = cover(place.backend())
        options: dict[str, Any] = {"clock": self.clock, "plugins": [self.listener]}
        self.old = place.open(pepper=OLD_PEPPER, clock=self.clock)
        self.sessions = place.over(self.store, face, fallback_peppers=[OLD_PEPPER], **options)
        self.witness = place.open(clock=self.clock, fallback_peppers=[OLD_PEPPER])

    def people(self) -> dict[str, Any]:
        """Two live sessions of ann's, under the old pepper and due for a touch, one that ended,
        one that was revoked, and one of bob's; every time the same, and all as on the first day.
        """
        if self.first_day is None:
            hour = timedelta(hours=1)
            self.known = {
                "ann": self.old.issue("ann", method="password", lifetime=9 * hour),
                "ended": self.old.issue("eve", method="password", lifetime=hour),
                "revoked": self.old.issue("eve", method="password"),
                "bob": self.old.issue("bob", method="passkey"),
            }
            self.clock.move(2 * hour)
            self.known["ann too"] = self.old.issue("ann", method="password")
            assert self.sessions.revoke(self.known["revoked"].session.id)
            self.first_day = self.rows()
        with closing(sqlite3.connect(self.place.path)) as connection, connection:
            connection.execute("DELETE FROM coatcheck_session")
            holes = ", ".join("?" * len(self.first_day[0]))
            connection.executemany(
                f"INSERT INTO coatcheck_session VALUES ({holes})", self.first_day
            )
        self.listener.take()
        return self.known

    def call(self, operation: str, people: dict[str, Any]) -> Any:
        """The operation, on the session that it is about."""
        sessions, session_id = self.sessions, people["ann"].session.id
        calls: dict[str, Callable[[], Any]] = {
            "issue": lambda: sessions.issue("new", method="password"),
            "validate": lambda: sessions.validate(people["ann"].token),
            "get": lambda: sessions.get(session_id),
            "find": lambda: sessions.find(user_id="ann"),
            "count": lambda: sessions.count(user_id="ann"),
            "update": lambda: sessions.update(session_id, scopes={"new"}),
            "update_all": lambda: sessions.update_all(user_id="ann", scopes={"new"}),
            "revoke": lambda: sessions.revoke(session_id),
            "revoke_all": lambda: sessions.revoke_all(user_id="ann"),
            "purge": sessions.purge,
            "pepper_status": sessions.pepper_status,
            "ping": sessions.ping,
        }
        return calls[operation]()

    def rows(self) -> list[Any]:
        return self.place.sql("SELECT * FROM coatcheck_session ORDER BY id")


@pytest.fixture(
    scope="module", params=product(FACES, ["all hooks", "required hooks"]), ids=", ".join
)
def stand(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stand]:
    face, hooks = request.param
    place = Place(tmp_path_factory.mktemp("crash"))
    yield Stand(place, face, required_only=hooks == "required hooks")
    place.close()


def unavailable() -> Exception:
    return BackendUnavailable("the store is away")


def unknown() -> Exception:
    return OutcomeUnknown("the answer was lost")


def foreign() -> Exception:
    return RuntimeError(CANARY)


def failures(
    stand: Stand, operation: str, error: Callable[[], Exception], *, after: bool
) -> Iterator[tuple[str, Any, dict[str, Any], list[Any]]]:
    """For each n: the hook that failed, the answer or the error, the people, the rows before."""
    for number in range(100):
        people = stand.people()
        before = stand.rows()
        stand.store.arm(number, error, after=after)
        try:
            outcome = stand.call(operation, people)
        except CoatcheckError as raised:
            outcome = raised
        hook = stand.store.disarm()
        if hook is None:
            assert not isinstance(outcome, Exception)
            assert number, "there was a call at which to fail"
            return
        yield hook, outcome, people, before
    raise AssertionError(f"{operation} never came to its end")


def check_invariants(stand: Stand, people: dict[str, Any]) -> None:
    """What holds whatever failed."""
    for sessions in (stand.sessions, stand.witness):
        assert sessions.validate(people["revoked"].token).reason is RejectionReason.UNKNOWN
        assert not sessions.validate(people["ended"].token)
        bob = sessions.validate(people["bob"].token, touch=False)
        assert bob
        assert bob.scopes == frozenset()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_before_the_call_nothing_happened_in_that_step(stand: Stand, operation: str) -> None:
    for hook, outcome, people, before in failures(stand, operation, unavailable, after=False):
        if hook in NEGLIGIBLE:
            assert isinstance(outcome, Session), "a validation does not fail for these"
        else:
            assert isinstance(outcome, BackendUnavailable)
        told = [event for event, *_ in stand.listener.take()]
        if operation in ("issue", "update", "revoke"):
            assert stand.rows() == before
        # A purge tells of each batch that was there before the one that failed.
        if operation != "purge" or stand.rows() == before:
            assert EVENTS.get(operation) not in told
        check_invariants(stand, people)
    twenty_operations(stand.sessions)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_after_the_call_the_outcome_of_a_change_is_unknown(stand: Stand, operation: str) -> None:
    for hook, outcome, people, before in failures(stand, operation, unknown, after=True):
        if hook in NEGLIGIBLE:
            assert isinstance(outcome, Session), "a validation does not fail for these"
        elif hook in WRITE_HOOKS:
            assert isinstance(outcome, OutcomeUnknown)
            assert stand.rows() != before, "this time it is the state after"
        else:
            assert isinstance(outcome, BackendUnavailable), "a read has no outcome to be unknown"
        told = [event for event, *_ in stand.listener.take()]
        assert EVENTS.get(operation) not in told or operation == "purge"
        check_invariants(stand, people)
        if operation in ("revoke", "update", "revoke_all", "update_all"):
            stand.call(operation, people)  # to repeat it leads to the wanted state
            answer = stand.witness.validate(people["ann"].token)
            assert answer.scopes == {"new"} if operation.startswith("update") else not answer


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_foreign_exception_becomes_one_of_ours_and_its_words_stay_out_of_the_log(
    stand: Stand, operation: str, after: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        for hook, outcome, people, _ in failures(stand, operation, foreign, after=after):
            if hook in NEGLIGIBLE:
                assert isinstance(outcome, Session)
            else:
                assert type(outcome) is (OutcomeUnknown if hook in WRITE_HOOKS else BackendError)
                assert isinstance(outcome.__cause__, RuntimeError)
                assert CANARY in str(outcome.__cause__)
                ours = [e for e in chain_of(outcome) if isinstance(e, CoatcheckError)]
                assert CANARY not in "".join(map(str, ours))
            check_invariants(stand, people)
    assert CANARY not in caplog.text


def test_an_acknowledged_sign_in_is_there_whatever_came_after_it(stand: Stand) -> None:
    for number in range(8):
        stand.people()
        issued = stand.sessions.issue("new", method="password")
        stand.store.arm(number % 2, unavailable, after=bool(number & 2))
        try:
            stand.sessions.update(issued.session.id, scopes={"x"})
            stand.sessions.revoke_all(user_id="ann")
        except BackendError:
            pass
        stand.store.disarm()
        assert stand.witness.validate(issued.token)
