"""Commands of a replica set fail before or after they are done, while everybody is at work."""

from __future__ import annotations

from typing import Any

import pytest

from doors import mongodb_doors
from loads import Load, often
from replica_sets import ReplicaSet, ask
from servers import MongoServer

DEADLINE = 5.0
COMMANDS = ["find", "insert", "update", "delete", "findAndModify"]
WRITES = COMMANDS[1:]
CUT_OFF = 9001
"""SocketException. Not one that says that the server gives up its office: until the server says
so in its heartbeat as well, which one that only pretends does not, the driver leaves it alone."""

FAILURES: dict[str, dict[str, Any]] = {
    "cut before they were done": {"failCommands": COMMANDS, "closeConnection": True},
    "refused before they were done": {"failCommands": COMMANDS, "errorCode": CUT_OFF},
    "said to have failed after they were done": {
        "failCommands": WRITES,
        "writeConcernError": {"code": CUT_OFF, "errmsg": "cut off"},
    },
    "done and unconfirmed": {
        "failCommands": WRITES,
        "writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"},
    },
}


@pytest.mark.parametrize("failure", FAILURES)
def test_commands_that_fail_under_load(members: ReplicaSet, members_url: str, failure: str) -> None:
    times, fails = min(often(1), 10), 0
    with Load(mongodb_doors(members_url, DEADLINE), deadline=DEADLINE) as load:
        for _ in range(times):
            load.works(0.3)
            fail(members.primary, {"activationProbability": 0.2}, FAILURES[failure])
            load.works(1.5)
            fails += fail(members.primary, "off", FAILURES[failure])
            load.recovers(5)
    load.check(linearizable=True)
    assert fails
    load.tell(f"MongoDB replica set, {fails} commands {failure}")


def fail(member: MongoServer, mode: Any, data: dict[str, Any]) -> int:
    """Have it fail commands, or no more, and say how often it did since it began to."""
    answer = ask(member, "configureFailPoint", "failCommand", mode=mode, data=data)
    return int(answer["count"])


def test_sessions_of_the_driver_that_an_operator_kills(
    members: ReplicaSet, members_url: str
) -> None:
    times = often(20)
    with Load(mongodb_doors(members_url, DEADLINE), deadline=DEADLINE) as load:
        load.works(0.3)
        for _ in range(times):
            ask(members.primary, "killAllSessions", [])
            load.works(0.05)
        load.recovers(5)
    load.check(linearizable=True)
    load.tell(f"MongoDB replica set, killAllSessions {times} times")
