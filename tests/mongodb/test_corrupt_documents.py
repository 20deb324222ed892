"""A document that cannot be read is an error that names it, never a session, and goes when told."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import bson
import pytest
from bson.int64 import Int64
from bson.raw_bson import RawBSONDocument

from coatcheck import BackendError, BackendUnavailable, IssuedSession, OutcomeUnknown
from mongodb_places import CODEC, FACES, Place
from shared_servers import mongodb_database
from sqlite_files import twenty_operations

TEXTS = ("user_id", "method", "metadata", "key_hash", "pepper_id")
INSTANTS = ("created_at", "last_used_at", "expires_at", "inactivity_timeout", "inactive_at")
MISSING = object()

UNREADABLE: list[Any] = [
    *[pytest.param(name, MISSING, id=f"{name} missing") for name in (*TEXTS, *INSTANTS, "scopes")],
    *[pytest.param(name, value, id=f"{name} {type(value).__name__}")
      for name in TEXTS for value in (None, 1, b"canary", ["canary"], {"$ne": "canary"}, True)],
    *[pytest.param(name, value, id=f"{name} {type(value).__name__}")
      for name in INSTANTS for value in ("canary", 1.5, 7, True, ["canary"], {"a": "canary"})],
    *[pytest.param(name, None, id=f"{name} null") for name in ("created_at", "last_used_at")],
    *[pytest.param("scopes", value, id=f"scopes {value!r}")
      for value in (None, "canary", ["b", "a"], ["a", "a"], [1], [None], {"a": 1}, [["a"]])],
    pytest.param("inactive_at", Int64(1), id="inactive_at another"),
    *[pytest.param(name, f"canary{place}", id=f"{name} no UTF-8")
      for name in TEXTS for place in ("NOT-UTF8",)],
    pytest.param("scopes", ["canaryNOT-UTF8"], id="scopes no UTF-8"),
]  # fmt: skip


@pytest.fixture(scope="module", params=FACES)
def faced(request: pytest.FixtureRequest, mongodb_url: str) -> Iterator[tuple[Place, Any]]:
    """One database and one manager for all of these documents."""
    with mongodb_database(mongodb_url) as url:
        place = Place(url)
        yield place, place.open(request.param)
        place.close()


@pytest.fixture
def odd(faced: tuple[Place, Any]) -> tuple[Place, Any]:
    """The same, empty."""
    place, sessions = faced
    place.raw.delete_many({})
    return place, sessions


def issued_by(sessions: Any, **options: Any) -> IssuedSession:
    # Neither end, so that no odd instant ends it before it is read.
    ends: dict[str, Any] = {"lifetime": None, "inactivity_timeout": None}
    return sessions.issue("ann", method="password", scopes={"read"}, metadata={"a": [1]},
                          **ends, **options)  # fmt: skip


def put(place: Place, issued: IssuedSession, field: str, value: object) -> None:
    """Write the document anew with one field as no backend would write it."""
    document = place.raw.find_one({"_id": issued.session.id})
    place.raw.delete_one({"_id": issued.session.id})
    del document[field]
    if value is not MISSING:
        document[field] = value
    written = bson.encode(document, codec_options=CODEC).replace(
        b"NOT-UTF8", b"\xff\xfe\xc3\x28four"
    )
    raw = place.database.get_collection(
        "coatcheck_session", codec_options=bson.CodecOptions(document_class=RawBSONDocument)
    )
    raw.insert_one(RawBSONDocument(written))


@pytest.mark.parametrize(("field", "value"), UNREADABLE)
def test_it_is_named_and_its_value_is_not_shown(
    odd: tuple[Place, Any], field: str, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    place, sessions = odd
    issued, other = issued_by(sessions), issued_by(sessions)
    put(place, issued, field, value)
    with caplog.at_level(logging.DEBUG, "coatcheck"):
        refused(lambda: sessions.validate(issued.token), issued, field)
        refused(lambda: sessions.validate(issued.token, touch=False), issued, field)
        if field != "key_hash" or not isinstance(value, str) or "NOT" in value:
            refused(lambda: sessions.get(issued.session.id), issued, field)
            refused(lambda: sessions.find(limit=10), issued, field)
    assert "canary" not in caplog.text
    assert sessions.validate(other.token) == other.session, "and the others are not in it"
    assert sessions.revoke(issued.session.id) is True
    assert sessions.revoke(issued.session.id) is False
    assert not sessions.validate(issued.token)
    assert [session.id for session in sessions.find(limit=10)] == [other.session.id]


def refused(call: Any, issued: IssuedSession, field: str) -> None:
    with pytest.raises(BackendError, match=rf"\({field}\)") as raised:
        call()
    error: BaseException | None = raised.value
    # The store answered, and it is known what it answered.
    assert not isinstance(error, BackendUnavailable | OutcomeUnknown)
    assert str(issued.session.id) in str(error)
    while error is not None:
        assert "canary" not in f"{error!r}"
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("field", ["user_id", "method", "pepper_id", "scopes", "metadata"])
def test_a_filter_on_the_other_fields_still_revokes_it(odd: tuple[Place, Any], field: str) -> None:
    place, sessions = odd
    issued, other = issued_by(sessions), issued_by(sessions)
    value = "NOT-UTF8"
    put(place, issued, field, [value] if field == "scopes" else value)
    chosen = {"user_id": {"method": "password"}}.get(field, {"user_id": "ann"})
    revoked = sessions.revoke_all(**chosen)
    assert {ref.id for ref in revoked} == {issued.session.id, other.session.id}
    assert sessions.count() == 0


def test_an_id_that_is_none_is_said_and_goes_with_the_others(odd: tuple[Place, Any]) -> None:
    place, sessions = odd
    issued = issued_by(sessions)
    other = sessions.issue("bob", method="password")
    document = place.raw.find_one({"_id": issued.session.id})
    place.raw.delete_one({"_id": issued.session.id})
    for odd_id in (b"fifteen bytes..", "text", 5):
        place.raw.insert_one({**document, "_id": odd_id})
    assert sessions.validate(issued.token).reason == "unknown"
    with pytest.raises(BackendError, match=r"\(id\)"):
        sessions.find(user_id="ann")
    assert sessions.find(user_id="bob") == [other.session]
    assert sessions.revoke_all(user_id="ann") == []
    assert place.raw.count_documents({}) == 1
    assert sessions.find() == [other.session]
    twenty_operations(sessions)


@pytest.mark.parametrize("value", [MISSING, "NOT-UTF8", 1.5, None, ["a"], {"a": 1}])
def test_changes_of_one_that_cannot_be_read_are_errors_of_ours(
    odd: tuple[Place, Any], value: Any
) -> None:
    place, sessions = odd
    for field in (*TEXTS, *INSTANTS, "scopes"):
        issued = issued_by(sessions)
        put(place, issued, field, value)
        try:
            session = sessions.update(issued.session.id, scopes={"new"}, metadata={})
        except BackendError as error:
            assert str(issued.session.id) in str(error)  # noqa: PT017 - it may also succeed
        else:
            # What was unreadable was overwritten or derived anew, or counts as ended.
            if session is not None:
                assert sessions.get(issued.session.id) == session
        sessions.update_all(user_id="ann", scopes={"newer"})
        sessions.purge()
        sessions.count(live=True)
        sessions.pepper_status()
        assert isinstance(sessions.revoke(issued.session.id), bool)
    twenty_operations(sessions)
