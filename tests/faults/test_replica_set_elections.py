"""A new primary that does not know yet what a majority has is not believed."""

from __future__ import annotations

import time
from typing import Any

import pytest

from coatcheck import BackendUnavailable
from coatcheck_backends.mongodb.clients import OwnClient
from doors import entered, mongodb_doors
from replica_sets import ReplicaSet, ask
from servers import MongoServer

DEADLINE = 5.0


def look_back(member: MongoServer, *, on: bool) -> None:
    """Have a member answer majority reads as of now, whatever comes: without this, a new
    primary does so for some milliseconds."""
    mode = "alwaysOn" if on else "off"
    ask(member, "configureFailPoint", "disableSnapshotting", mode=mode)


@pytest.mark.parametrize(
    ("face", "broken"),
    [(0, False), (1, False), (0, True)],
    ids=["sync", "async", "believing at once"],
)
def test_a_new_primary_is_asked_before_it_is_believed(
    members: ReplicaSet,
    members_url: str,
    face: int,
    broken: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if broken:
        monkeypatch.setattr(OwnClient, "latest", lambda _: None)
    members.wait_until_whole()
    primary = members.primary
    others = [member for member in members.members if member is not primary]
    with entered(mongodb_doors(members_url, DEADLINE)[face]) as sessions:
        revoked, kept = [sessions.issue("ann", method="password") for _ in range(2)]
        assert sessions.validate(revoked.token)
        time.sleep(0.5)  # until the others know that a majority has them
        for member in others:
            look_back(member, on=True)
        try:
            assert sessions.revoke(revoked.session.id)
            primary.kill()
            members.wait_until_whole()
            if broken:
                assert sessions.validate(revoked.token, touch=False), "the mistake is shown"
                assert sessions.find(user_id="ann") == [revoked.session, kept.session]
            else:
                refuses(lambda: sessions.validate(revoked.token, touch=False))
                refuses(lambda: sessions.find(user_id="ann"))
        finally:
            for member in others:
                look_back(member, on=False)
            primary.start()
        members.wait_until_whole()
        if broken:
            return  # nothing tells it how long to go on like this
        assert sessions.validate(revoked.token).reason == "unknown"
        assert [each.id for each in sessions.find(user_id="ann")] == [kept.session.id]
        assert sessions.validate(kept.token)


def refuses(read: Any) -> None:
    with pytest.raises(BackendUnavailable):
        read()
