"""Preparing a database: by eight at once, twice, not at all, and what is said of a wrong one."""

from __future__ import annotations

from typing import Any

import pytest

from coatcheck import BackendError, ConfigError, SchemaMissing, SchemaTooNew
from mongodb_places import PEPPER, Place
from sqlite_files import twenty_operations
from workers import Worker

EIGHT = 8
INDEXES = {"_id_", "coatcheck_user", "coatcheck_pepper", "coatcheck_expiry", "coatcheck_inactivity"}


def versions(place: Place) -> list[dict[str, Any]]:
    return list(place.database["coatcheck_session_version"].find())


def test_eight_processes_may_prepare_at_once(place: Place) -> None:
    workers = [place.rooms.enter_context(Worker(place.url, PEPPER)) for _ in range(EIGHT)]
    for worker in workers:
        worker.ask("warm_up")
    for _ in range(4):
        place.client.drop_database(place.database.name)
        for worker in workers:
            worker.tell("prepare", url=place.url)
        assert [next(worker.lines()) for worker in workers] == [{"answer": "prepared"}] * EIGHT
        assert versions(place) == [{"_id": "schema", "version": 1}]
        assert set(place.raw.index_information()) == INDEXES
    twenty_operations(place.open())


def test_a_second_preparation_changes_nothing(place: Place, face: str) -> None:
    token = place.open(face).issue("ann", method="password").token
    before = versions(place), place.raw.index_information()
    again = place.open(face)
    assert (versions(place), place.raw.index_information()) == before
    assert again.validate(token)


def test_without_the_right_to_prepare_a_missing_schema_is_said_and_not_made(
    place: Place, face: str
) -> None:
    with pytest.raises(SchemaMissing, match="prepare"):
        place.open(face, prepare=False)
    assert place.database.list_collection_names() == []


def test_a_prepared_database_opens_without_that_right(place: Place, face: str) -> None:
    token = place.open().issue("ann", method="password").token
    sessions = place.open(face, prepare=False)
    assert sessions.validate(token)
    twenty_operations(sessions)


@pytest.mark.parametrize("prepare", [True, False])
def test_a_newer_schema_is_refused_and_left_alone(place: Place, face: str, prepare: bool) -> None:
    place.open().close()
    place.database["coatcheck_session_version"].update_one({}, {"$set": {"version": 2}})
    place.raw.drop_index("coatcheck_user")
    with pytest.raises(SchemaTooNew, match="newer"):
        place.open(face, prepare=prepare)
    assert versions(place) == [{"_id": "schema", "version": 2}]
    assert "coatcheck_user" not in place.raw.index_information()


@pytest.mark.parametrize("index", sorted(INDEXES - {"_id_"}))
def test_a_missing_index_is_said_or_made_anew_and_no_session_is_lost(
    place: Place, face: str, index: str
) -> None:
    token = place.open().issue("ann", method="password").token
    place.raw.drop_index(index)
    with pytest.raises(SchemaMissing, match=index):
        place.open(face, prepare=False)
    assert index not in place.raw.index_information()
    assert place.open(face).validate(token)
    assert set(place.raw.index_information()) == INDEXES


@pytest.mark.parametrize("prepare", [True, False])
def test_an_index_with_another_definition_is_said_and_not_dropped(
    place: Place, face: str, prepare: bool
) -> None:
    place.open().close()
    place.raw.drop_index("coatcheck_expiry")
    place.raw.create_index([("expires_at", 1)], name="coatcheck_expiry")
    before = place.raw.index_information()
    with pytest.raises(SchemaMissing, match="another definition"):
        place.open(face, prepare=prepare)
    assert place.raw.index_information() == before


def test_an_older_schema_is_said_or_brought_up_to_date(place: Place, face: str) -> None:
    token = place.open().issue("ann", method="password").token
    place.database["coatcheck_session_version"].delete_many({})
    place.database["coatcheck_session_version"].insert_one({"_id": "schema", "version": 0})
    with pytest.raises(SchemaMissing, match="older"):
        place.open(face, prepare=False)
    assert place.open(face).validate(token)
    assert versions(place) == [{"_id": "schema", "version": 1}]


def test_a_version_that_is_none_is_an_error_of_ours(place: Place, face: str) -> None:
    place.open().close()
    place.database["coatcheck_session_version"].update_one({}, {"$set": {"version": "canary"}})
    with pytest.raises(BackendError, match="version cannot be read") as raised:
        place.open(face)
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize(
    "options", [{"collation": {"locale": "en", "strength": 1}}, {"capped": True, "size": 10_000}]
)
def test_a_collection_that_would_confuse_or_forget_users_is_refused(
    place: Place, face: str, options: dict[str, Any]
) -> None:
    place.database.create_collection("coatcheck_session", **options)
    with pytest.raises(ConfigError, match="cannot hold sessions"):
        place.open(face)


def test_a_version_that_is_gone_later_is_said_by_a_ping_and_never_made_by_it(
    place: Place, face: str
) -> None:
    sessions = place.open(face)
    sessions.ping()
    place.database.drop_collection("coatcheck_session_version")
    with pytest.raises(SchemaMissing):
        sessions.ping()
    assert place.database.list_collection_names() == ["coatcheck_session"]


def test_an_index_that_is_gone_later_is_said_by_what_needs_it(place: Place, face: str) -> None:
    sessions = place.open(face)
    token = sessions.issue("ann", method="password").token
    place.raw.drop_index("coatcheck_user")
    with pytest.raises(SchemaMissing, match="index is missing"):
        sessions.find(user_id="ann")
    with pytest.raises(SchemaMissing, match="index is missing"):
        sessions.revoke_all(user_id="ann")
    assert sessions.validate(token)


def test_two_collections_in_one_database_know_nothing_of_each_other(
    place: Place, face: str
) -> None:
    ours, theirs = place.open(face), place.open(face, {"collection": "other.sessions"})
    token = ours.issue("ann", method="password").token
    assert ours.validate(token)
    assert theirs.validate(token).reason == "unknown"
    assert sorted(place.database.list_collection_names()) == [
        "coatcheck_session", "coatcheck_session_version",
        "other.sessions", "other.sessions_version",
    ]  # fmt: skip
