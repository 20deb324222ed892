"""How many connections a call takes."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from pymongo.errors import WaitQueueTimeoutError

from coatcheck import BackendUnavailable
from coatcheck_backends.mongodb.errors import translated
from mongodb_places import FACES, Place
from shared_servers import new_name
from sqlite_files import reads_of, writes_of

ONE = {"maxPoolSize": "1"}
CALLERS = 20


@pytest.mark.parametrize("face", FACES)
def test_no_call_takes_a_second_connection(place: Place, face: str) -> None:
    # It would wait for it until the deadline.
    sessions = place.open(face, ONE, deadline=timedelta(seconds=2))
    for kind in (reads_of, lambda door, session_id, _: writes_of(door, session_id)):
        issued = sessions.issue("ann", method="password")
        for call in kind(sessions, issued.session.id, issued.token).values():
            call()
    sessions.purge()
    sessions.pepper_status()


def test_twenty_threads_on_one_connection_all_succeed(place: Place) -> None:
    sessions = place.open("sync", ONE)
    done: list[str] = []

    def work(n: int) -> None:
        for _ in range(3):
            issued = sessions.issue(f"user {n}", method="password")
            if sessions.validate(issued.token).user_id == f"user {n}":
                done.append(issued.token)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(set(done)) == 3 * CALLERS


@pytest.mark.parametrize("face", FACES)
def test_a_closed_manager_leaves_no_connection_at_the_server(set_place: Place, face: str) -> None:
    name = new_name()

    def connections() -> int:
        everything = {"$currentOp": {"allUsers": True, "idleConnections": True}}
        mine = {"$match": {"appName": name}}
        return len(list(set_place.client.admin.aggregate([everything, mine])))

    sessions = set_place.open(face, {"appname": name})
    sessions.issue("ann", method="password")
    assert connections() > 0
    sessions.close()
    until = time.monotonic() + 5
    while connections() and time.monotonic() < until:
        time.sleep(0.01)
    assert connections() == 0


def test_a_pool_that_is_used_up_is_unavailable_and_its_option_is_named() -> None:
    failure = translated(WaitQueueTimeoutError("no words"), writing=True, in_transaction=False)
    assert isinstance(failure, BackendUnavailable), "nothing was sent"
    assert "maxPoolSize" in str(failure)
