"""mongod is killed and starts again, or another takes over: what was acknowledged is there, and
nobody pays for a connection that was dead."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from coatcheck import BackendError
from loads import often
from mongodb_places import FACES, Place
from replica_sets import ReplicaSet
from servers import MongoServer
from sqlite_files import reads_of, twenty_operations, writes_of

PATIENT = timedelta(seconds=15)


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def alone() -> Iterator[tuple[MongoServer, Place]]:
    with MongoServer() as server:
        place = Place(f"{server.url}killed")
        yield server, place
        place.close()


@pytest.fixture(scope="module")
def members() -> Iterator[ReplicaSet]:
    with ReplicaSet({"enableTestCommands": 1}) as members:
        yield members


@pytest.fixture
def many(members: ReplicaSet, request: pytest.FixtureRequest) -> Iterator[Place]:
    place = Place(
        members.url.replace("/?", f"/{request.node.name[:40].replace('[', '_').strip(']')}?")
    )
    yield place
    members.start()
    place.close()


def every_hook(sessions: Any, issued: Any) -> list[Any]:
    reads = reads_of(sessions, issued.session.id, issued.token)
    return [*reads.values(), *writes_of(sessions, issued.session.id).values()]


def test_after_a_restart_every_call_works_at_once(
    alone: tuple[MongoServer, Place], face: str
) -> None:
    server, place = alone
    sessions = place.open(face)
    for place_of_call in range(12):
        issued = sessions.issue("ann", method="password")
        call = every_hook(sessions, issued)[place_of_call]
        server.kill()
        server.start()
        let_monitors_look(place)
        call()
    twenty_operations(sessions)


def places_of_calls() -> list[int]:
    """Which calls meet an election: some, or all in the long form."""
    return list(range(12))[:: 1 if often(short=0) else 4]


def let_monitors_look(place: Place) -> None:
    """A loop that runs has its monitors told of the death at once; those of these tests run
    only while a call does."""
    place.runner.run(asyncio.sleep(0.05))


def test_what_was_acknowledged_survives_a_crash(
    alone: tuple[MongoServer, Place], face: str
) -> None:
    server, place = alone
    sessions = place.open(face)
    kept = sessions.issue("ann", method="password")
    changed = sessions.issue("ann", method="password")
    gone = sessions.issue("ann", method="password")
    sessions.update(changed.session.id, scopes={"new"})
    sessions.revoke(gone.session.id)
    server.kill()
    server.start()
    assert sessions.validate(kept.token)
    assert sessions.validate(changed.token).scopes == {"new"}
    assert sessions.validate(gone.token).reason == "unknown"


def test_an_election_costs_no_call_an_error(members: ReplicaSet, many: Place, face: str) -> None:
    sessions = many.open(face, deadline=PATIENT)
    for place_of_call in places_of_calls():
        issued = sessions.issue("ann", method="password")
        call = every_hook(sessions, issued)[place_of_call]
        members.step_down()
        call()
    members.wait_until_whole()
    twenty_operations(sessions)


def test_a_lost_answer_is_asked_for_again_and_each_write_is_done_once(
    members: ReplicaSet, many: Place, face: str
) -> None:
    sessions = many.open(face)
    for command in ("insert", "update", "findAndModify", "delete", "find", "aggregate"):
        issued = sessions.issue("ann", method="password")
        for call in every_hook(sessions, issued):
            many.fail([command], closeConnection=True)
            call()
        many.client.admin.command("configureFailPoint", "failCommand", mode="off")
        assert sessions.count(user_id="ann") == 0
    issued = sessions.issue("bob", method="password")
    # Done, and the others cannot be reached to confirm it.
    many.fail(["findAndModify"], writeConcernError={"code": 6, "errmsg": "unreachable"},
              errorLabels=["RetryableWriteError"])  # fmt: skip
    assert sessions.revoke(issued.session.id) is True
    assert sessions.revoke(issued.session.id) is False


@pytest.mark.parametrize("strict", ["false", "true"])
def test_no_revocation_is_undone_when_the_primary_is_killed(
    members: ReplicaSet, many: Place, face: str, strict: str
) -> None:
    sessions = many.open(face, {"strict": strict}, deadline=PATIENT)
    issued = [sessions.issue(f"user {n}", method="password") for n in range(200)]
    revoked: list[Any] = []
    killer = threading.Timer(0.15, members.primary.kill)
    killer.start()
    for each in issued:
        try:
            if sessions.revoke(each.session.id):
                revoked.append(each)
        except BackendError:
            time.sleep(0.05)
    killer.join()
    assert revoked
    for each in revoked:
        assert sessions.validate(each.token).reason == "unknown"
    twenty_operations(sessions)
    members.start()
    for each in revoked:
        assert sessions.validate(each.token).reason == "unknown"
