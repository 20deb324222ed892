"""The primary of a replica set is killed, stepped down or paused while everybody is at work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
from bson.codec_options import CodecOptions
from pymongo import MongoClient
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern

from coatcheck import BackendUnavailable, OutcomeUnknown, SessionManager
from coatcheck_backends.mongodb import location
from coatcheck_conformance.histories import NotLinearizable, Recorder, check_linearizable
from doors import mongodb_doors, opener
from houses import seen
from kept import NotKept, check_kept
from loads import Load, often, tell
from replica_sets import ReplicaSet
from servers import PATIENCE, MongoServer

DEADLINE = 5.0
"""Longer than an election, so that most calls only have to wait."""
PAUSE = 4.5
"""Seconds in which the others elect another primary."""


def killed(members: ReplicaSet, load: Load) -> None:
    """The primary, which comes back when there is another."""
    assert all(member.processes for member in members.members), "one did not come back"
    primary = members.primary
    primary.kill()
    try:
        load.recovers(20)
    finally:
        primary.start()


def stepped_down(members: ReplicaSet, load: Load) -> None:
    members.step_down()
    load.recovers(20)


@pytest.mark.parametrize("fault", [killed, stepped_down], ids=lambda fault: fault.__name__)
def test_no_acknowledged_change_is_lost_by_a_failover(
    members: ReplicaSet, members_url: str, fault: Callable[[ReplicaSet, Load], None]
) -> None:
    times = often(2)
    with Load(mongodb_doors(members_url, DEADLINE), deadline=DEADLINE) as load:
        load.works(0.5)
        for _ in range(times):
            fault(members, load)
            members.wait_until_whole()
            load.works(0.3)
    # More than the default declares, which is for primaries that were paused.
    load.check(linearizable=True)
    load.tell(f"MongoDB by default, primary {fault.__name__} {times} times")


def test_a_paused_primary_never_answers_strict_readers_with_what_is_past(
    members: ReplicaSet, members_url: str
) -> None:
    times = min(often(2), 10)
    doors = mongodb_doors(members_url, DEADLINE, strict="true")
    with Load(doors, deadline=DEADLINE) as load:
        for _ in range(times):
            load.works(0.5)
            primary = members.primary
            primary.freeze()
            try:
                time.sleep(PAUSE)
                assert members.primary is not primary
            finally:
                primary.thaw()
            load.recovers(20)
            members.wait_until_whole()
    load.check(linearizable=True)
    load.tell(f"MongoDB with strict=true, primary paused {times} times for {PAUSE} s")


def test_how_long_a_deposed_primary_goes_on_answering_by_default(
    members: ReplicaSet, members_url: str
) -> None:
    """Its window: by a connection to it alone, as no manager would ask, and for users."""
    times = min(often(1), 10)
    windows, seen_by_users, asked_by_users = [], 0, 0
    with (
        opener(SessionManager, members_url, DEADLINE)() as sessions,
        opener(SessionManager, members_url, DEADLINE)() as users,
    ):
        for _ in range(times):
            members.wait_until_whole()
            issued = sessions.issue("ann", method="password")
            primary = members.primary
            with Asking(primary, members_url, issued.session.id) as deposed:
                primary.freeze()
                try:
                    while members.primary is primary:
                        time.sleep(0.1)
                    revoke(sessions, issued.session.id)
                    user = Validating(users, issued.token)
                finally:
                    resumed = time.monotonic()
                    primary.thaw()
                until = resumed + 3
                while time.monotonic() < until:
                    time.sleep(0.01)
                windows.append(deposed.last_seen - resumed)
            user.stop()
            seen_by_users += user.accepted
            asked_by_users += user.asked
    told = ", ".join(f"{1000 * max(0.0, each):.0f}" for each in windows)
    tell(
        f"MongoDB by default: a primary that was paused and deposed meanwhile went on "
        f"answering majority reads with a revoked session for {told} ms after it resumed (asked "
        f"directly, without a break); users of a manager saw it in {seen_by_users} of "
        f"{asked_by_users} validations that began after the revocation"
    )
    assert all(each < 3 for each in windows)


def revoke(sessions: SessionManager, session_id: Any) -> None:
    """Until it is acknowledged. The one that follows has to find out first that the paused
    primary, from which it took its changes, is of no use."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with suppress(BackendUnavailable, OutcomeUnknown):
            sessions.revoke(session_id)
            return
    raise AssertionError(f"no revocation was acknowledged in {PATIENCE} s")


class Asking:
    """A thread that reads one session from one member, as a warm connection lets it."""

    def __init__(self, member: MongoServer, url: str, session_id: Any) -> None:
        self.client: MongoClient[dict[str, Any]] = MongoClient(
            member.url, directConnection=True, socketTimeoutMS=20_000
        )
        name = urlsplit(url).path.strip("/")
        codec: Any = CodecOptions(uuid_representation=4)
        self.collection = self.client[name].get_collection(
            "coatcheck_session", codec_options=codec, read_concern=ReadConcern("majority")
        )
        self.session_id = session_id
        self.last_seen = 0.0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._ask)

    def _ask(self) -> None:
        while not self.over.is_set():
            try:
                if self.collection.find_one({"_id": self.session_id}):
                    self.last_seen = time.monotonic()
            except PyMongoError:
                time.sleep(0.001)

    def __enter__(self) -> Asking:
        self.thread.start()
        while not self.last_seen:
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()
        self.client.close()


class Validating:
    """A thread that validates one token, from now on."""

    def __init__(self, sessions: SessionManager, token: str) -> None:
        self.asked = self.accepted = 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._validate, args=(sessions, token))
        self.thread.start()

    def _validate(self, sessions: SessionManager, token: str) -> None:
        while not self.over.is_set():
            self.accepted += bool(sessions.validate(token, touch=False))
            self.asked += 1

    def stop(self) -> None:
        self.over.set()
        self.thread.join()


@pytest.mark.parametrize("broken", [False, True], ids=["as it is", "at w=1"])
def test_a_revocation_on_the_primary_alone_is_not_acknowledged(
    members: ReplicaSet, members_url: str, broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are dead when it comes; then the primary dies, and they come back. A backend
    that does not wait for them acknowledges what is undone, and the checks say so."""
    if broken:
        monkeypatch.setattr(location, "ALWAYS", {**location.ALWAYS, "w": 1})
    recorder = Recorder()
    members.wait_until_whole()
    primary = members.primary
    others = [member for member in members.members if member is not primary]
    with opener(SessionManager, members_url, 3.0)() as sessions:
        issued = sessions.issue("ann", method="password", scopes={"a"})
        with recorder.call(issued.session.id, "issue", "a") as call:
            call.answer = True
        settle(members_url)
        for member in others:
            member.kill()  # a frozen one would find the change in its socket when it goes on
        with (
            nullcontext() if broken else pytest.raises(OutcomeUnknown),
            recorder.call(issued.session.id, "revoke") as call,
        ):
            call.answer = sessions.revoke(issued.session.id)
        primary.kill()
        for member in others:
            member.start()
        members.wait_until_whole()
        with recorder.call(issued.session.id, "validate") as call:
            call.answer = seen(sessions.validate(issued.token))
        primary.start()
        members.wait_until_whole()
    if broken:
        with pytest.raises(NotKept, match="revocation was acknowledged"):
            check_kept(recorder.operations)
        with pytest.raises(NotLinearizable):
            check_linearizable(recorder.operations)
    else:
        check_kept(recorder.operations)
        check_linearizable(recorder.operations)


def settle(url: str) -> None:
    """Wait until all members have what was written so far."""
    with MongoClient[dict[str, Any]](url, w=3) as client:
        client.get_default_database()["theirs"].insert_one({})
