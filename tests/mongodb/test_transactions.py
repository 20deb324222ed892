"""Inside a caller's transaction: seen there, there at its commit, and gone without it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from pymongo import AsyncMongoClient, MongoClient

from coatcheck import BackendUnavailable, InvalidInput, Unsupported
from coatcheck_conformance.faces import blocking
from mongodb_places import Place


class Desk:
    """A manager, and a client of the user's own, of the same kind."""

    def __init__(self, place: Place, face: str) -> None:
        self.place, self.face = place, face
        self.sessions = place.open(face)
        self.witness = place.open()
        self.client: Any = (MongoClient if face == "sync" else AsyncMongoClient)(place.url)
        self.run(self.client.aconnect if face == "async" else lambda: None)()
        place.rooms.callback(self.run(self.client.close))
        if "note" not in place.database.list_collection_names():
            place.database.create_collection("note")

    def run(self, call: Any) -> Any:
        return blocking(call, self.place.runner) if self.face == "async" else call

    def begin(self) -> Any:
        """A session of the user's, in a transaction."""
        session = self.client.start_session()
        starting = session.start_transaction
        self.run(starting)()
        self.place.rooms.callback(self.run(session.end_session))
        return session

    def note(self, session: Any, words: str) -> None:
        """A write of the user's own."""
        notes = self.client.get_default_database()["note"]
        self.run(notes.insert_one)({"words": words}, session=session)

    def notes(self) -> list[str]:
        return [note["words"] for note in self.place.database["note"].find()]

    def within(self, session: Any) -> Any:
        return self.place.within(self.sessions, session)


@pytest.fixture
def desk(set_place: Place, face: str) -> Iterator[Desk]:
    return Desk(set_place, face)


def test_every_change_is_seen_inside_and_appears_at_the_commit(desk: Desk) -> None:
    kept = desk.sessions.issue("ann", method="password", scopes={"read"})
    gone = desk.sessions.issue("bob", method="password")
    session = desk.begin()
    inside = desk.within(session)
    desk.note(session, "signed up")
    issued = inside.issue("eve", method="passkey")
    assert inside.update(kept.session.id, scopes={"write"}).scopes == {"write"}
    assert inside.update_all(user_id="eve", scopes={"new"}) == 1
    assert inside.revoke(gone.session.id) is True
    assert inside.validate(issued.token).scopes == {"new"}
    assert inside.validate(kept.token).scopes == {"write"}
    assert inside.validate(gone.token).reason == "unknown"
    assert {found.user_id for found in inside.find()} == {"ann", "eve"}
    assert inside.count() == 2
    assert inside.pepper_status()[0].sessions == 2
    assert inside.purge() == 0
    assert desk.witness.validate(issued.token).reason == "unknown"
    assert desk.witness.validate(kept.token).scopes == {"read"}
    assert desk.witness.validate(gone.token)
    assert desk.notes() == []
    desk.run(session.commit_transaction)()
    assert desk.witness.validate(issued.token).scopes == {"new"}
    assert desk.witness.validate(kept.token).scopes == {"write"}
    assert desk.witness.validate(gone.token).reason == "unknown"
    assert desk.notes() == ["signed up"]


def test_nothing_is_left_of_one_that_was_aborted(desk: Desk) -> None:
    kept = desk.sessions.issue("ann", method="password")
    session = desk.begin()
    inside = desk.within(session)
    desk.note(session, "signed up")
    issued = inside.issue("eve", method="passkey")
    assert len(inside.revoke_all(user_id="ann")) == 1
    desk.run(session.abort_transaction)()
    assert desk.witness.validate(issued.token).reason == "unknown"
    assert desk.witness.validate(kept.token)
    assert desk.notes() == []


def test_two_that_change_the_same_session_do_not_both_commit(desk: Desk) -> None:
    issued = desk.sessions.issue("ann", method="password")
    first, second = desk.begin(), desk.begin()
    one, other = desk.within(first), desk.within(second)
    assert one.validate(issued.token)
    assert other.validate(issued.token)
    assert one.update(issued.session.id, scopes={"one"})
    with pytest.raises(BackendUnavailable, match="same time"):
        other.update(issued.session.id, scopes={"other"})
    with pytest.raises(BackendUnavailable):
        other.validate(issued.token)
    desk.run(second.abort_transaction)()
    desk.run(first.commit_transaction)()
    assert desk.witness.validate(issued.token).scopes == {"one"}
    again = desk.begin()
    assert desk.within(again).update(issued.session.id, scopes={"other"})
    desk.run(again.commit_transaction)()
    assert desk.witness.validate(issued.token).scopes == {"other"}


def test_a_session_without_a_transaction_is_refused(desk: Desk) -> None:
    session = desk.client.start_session()
    with pytest.raises(InvalidInput, match="start_transaction"):
        desk.within(session)
    desk.run(session.end_session)()
    with pytest.raises(InvalidInput, match="start_transaction"):
        desk.within(session)
    over = desk.begin()
    inside = desk.within(over)
    desk.run(over.commit_transaction)()
    with pytest.raises(InvalidInput, match="start_transaction"):
        inside.issue("ann", method="password")
    assert desk.witness.count() == 0


@pytest.mark.parametrize("transaction", [None, 1, "session", object()])
def test_what_is_no_session_is_refused(desk: Desk, transaction: object) -> None:
    with pytest.raises(InvalidInput, match="ClientSession"):
        desk.within(transaction)


def test_a_session_of_the_other_kind_of_client_is_refused(set_place: Place) -> None:
    sync, other = Desk(set_place, "sync"), Desk(set_place, "async")
    with pytest.raises(InvalidInput, match="pass pymongo's ClientSession"):
        sync.within(other.begin())
    with pytest.raises(InvalidInput, match="pass pymongo's AsyncClientSession"):
        other.within(sync.begin())


def test_a_session_of_another_deployment_is_refused(
    desk: Desk, mongodb_url: str, face: str
) -> None:
    kind: Any = MongoClient if face == "sync" else AsyncMongoClient
    client = kind(mongodb_url)
    desk.run(client.admin.command)("ping")
    session = client.start_session()
    desk.run(session.start_transaction)()
    with pytest.raises((InvalidInput, Unsupported)):
        desk.within(session)
    desk.run(session.end_session)()
    desk.run(client.close)()


def test_one_server_by_itself_has_none(place: Place, face: str) -> None:
    desk = Desk(place, face)
    with pytest.raises(Unsupported, match="no transactions"):
        desk.within(desk.begin())


def test_another_write_concern_or_codec_of_the_users_client_does_not_matter(
    desk: Desk, face: str
) -> None:
    from shared_servers import with_options

    url = with_options(desk.place.url, uuidRepresentation="javaLegacy", readConcernLevel="local")
    kind: Any = MongoClient if face == "sync" else AsyncMongoClient
    client = kind(url, tz_aware=True)
    desk.run(client.admin.command)("ping")
    desk.place.rooms.callback(desk.run(client.close))
    session = client.start_session()
    desk.run(session.start_transaction)()
    issued = desk.within(session).issue("ann", method="password")
    assert desk.within(session).get(issued.session.id) == issued.session
    desk.run(session.commit_transaction)()
    desk.run(session.end_session)()
    assert desk.witness.validate(issued.token) == issued.session


def test_validate_inside_neither_touches_nor_rewrites(desk: Desk) -> None:
    issued = desk.sessions.issue("ann", method="password")
    before = desk.place.raw.find_one({"_id": issued.session.id})
    eager = desk.place.open(desk.face, touch_interval=timedelta(0),
                            salt_length=8)  # fmt: skip
    session = desk.begin()
    assert desk.place.within(eager, session).validate(issued.token)
    desk.run(session.commit_transaction)()
    assert desk.place.raw.find_one({"_id": issued.session.id}) == before
