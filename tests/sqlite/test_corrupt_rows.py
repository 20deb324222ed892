"""A row that cannot be read is an error that names it, never a session, and it can be revoked."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from coatcheck import BackendError, BackendUnavailable, IssuedSession, OutcomeUnknown
from sqlite_files import FACES, Place, twenty_operations

NOT_UTF8 = b"canary\xff\xfe\xc3"
TEXTS = ("user_id", "method", "scopes", "metadata", "key_hash", "pepper_id")
INSTANTS = ("created_at", "last_used_at", "expires_at", "inactivity_timeout")

UNREADABLE: list[Any] = [
    *[
        pytest.param(name, NOT_UTF8, "CAST(? AS TEXT)", id=f"{name} no UTF-8")
        for name in (*TEXTS, *INSTANTS)
    ],
    *[pytest.param(name, b"canary", "?", id=f"{name} a blob") for name in TEXTS],
    *[pytest.param(name, "canary", "?", id=f"{name} a text") for name in INSTANTS],
    *[pytest.param(name, 1.5, "?", id=f"{name} a fraction") for name in INSTANTS],
    *[pytest.param(name, b"canary", "?", id=f"{name} a blob") for name in INSTANTS],
    *[
        pytest.param("scopes", text, "?", id=f"scopes {text!r}")
        for text in ("", "canary", " canary", "canary ", " b a ", " a a ", "  ", " a  b ", "\n",
                     ' can"ary ', " can\u00e4ry ", " a\u00a0b ", " a\tb ")
    ],
    *[
        pytest.param("key_hash", text, "?", id=f"key_hash {text[:24]!r}")
        for text in ("", "canary", "$", "$hmac-sha256$v=1$keyid=canary$salt$digest", "$" * 500,
                     "$argon2id$v=19$m=99999999,t=1,p=1,keyid=0123456789abcdef$salt$digest")
    ],
]  # fmt: skip

LAZY: list[Any] = [
    *[
        pytest.param("metadata", text, id=f"metadata {text[:12]!r}")
        for text in ("", "canary", "[1]", "null", '{"a":', "{'a': 1}", '"canary"', "[" * 100_000)
    ],
    *[pytest.param(name, 2**63 - 1, id=f"{name} the last") for name in INSTANTS],
    pytest.param("created_at", -(2**63), id="created_at the first"),
]
"""Seen only by whoever reads the attribute."""


@pytest.fixture(scope="module", params=FACES)
def faced(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Place, Any]]:
    """One file and one manager for all of these rows."""
    place = Place(tmp_path_factory.mktemp("corrupt"))
    yield place, place.open(request.param)
    place.close()


@pytest.fixture
def odd(faced: tuple[Place, Any]) -> tuple[Place, Any]:
    """The same, empty."""
    place, sessions = faced
    place.sql("DELETE FROM coatcheck_session")
    return place, sessions


def issued_by(sessions: Any) -> IssuedSession:
    # Neither end, so that no odd instant ends it before it is read.
    return sessions.issue(
        "ann",
        method="password",
        scopes={"read", "write"},
        metadata={"a": [1]},
        lifetime=None,
        inactivity_timeout=None,
    )


@pytest.mark.parametrize(("column", "value", "sql"), UNREADABLE)
def test_it_is_named_and_its_value_is_not_shown(
    odd: tuple[Place, Any], column: str, value: Any, sql: str, caplog: pytest.LogCaptureFixture
) -> None:
    place, sessions = odd
    issued, other = issued_by(sessions), issued_by(sessions)
    place.set(issued.session.id, column, value, sql=sql)
    row = place.sql("SELECT hex(CAST(key_hash AS BLOB)) FROM coatcheck_session")
    with caplog.at_level(logging.DEBUG):
        for call in (
            lambda: sessions.validate(issued.token),
            lambda: sessions.validate(issued.token, touch=False),
        ):
            refused(call, issued)
        if column != "key_hash" or isinstance(value, bytes):
            refused(lambda: sessions.get(issued.session.id), issued)
            refused(lambda: sessions.find(limit=10), issued)
    assert "canary" not in caplog.text
    assert place.sql("SELECT hex(CAST(key_hash AS BLOB)) FROM coatcheck_session") == row
    assert sessions.validate(other.token) == other.session, "and the others are not in it"
    assert sessions.revoke(issued.session.id) is True
    assert sessions.revoke(issued.session.id) is False
    assert not sessions.validate(issued.token)
    assert [session.id for session in sessions.find(limit=10)] == [other.session.id]


def refused(call: Any, issued: IssuedSession) -> None:
    with pytest.raises(BackendError) as raised:
        call()
    error: BaseException | None = raised.value
    # The store answered, and it is known what it answered.
    assert not isinstance(error, BackendUnavailable | OutcomeUnknown)
    assert str(issued.session.id) in str(error)
    while error is not None:
        assert "canary" not in f"{error!r}"
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize(("column", "value"), LAZY)
def test_what_cannot_be_decoded_is_named_by_whoever_reads_it(
    odd: tuple[Place, Any], column: str, value: Any
) -> None:
    place, sessions = odd
    issued = issued_by(sessions)
    place.set(issued.session.id, column, value)
    session = sessions.validate(issued.token, touch=False) or sessions.get(issued.session.id)
    with pytest.raises(BackendError, match=str(issued.session.id)):
        getattr(session, column)
    assert session.user_id == "ann"
    assert session.scopes == {"read", "write"}
    repr(session)
    assert sessions.revoke(issued.session.id)


@pytest.mark.parametrize("column", ["user_id", "method", "pepper_id"])
def test_a_filter_on_the_other_columns_still_revokes_it(
    odd: tuple[Place, Any], column: str
) -> None:
    place, sessions = odd
    issued, other = issued_by(sessions), issued_by(sessions)
    place.set(issued.session.id, column, NOT_UTF8, sql="CAST(? AS TEXT)")
    chosen = {"user_id": {"method": "password"}}.get(column, {"user_id": "ann"})
    revoked = sessions.revoke_all(**chosen)
    assert {ref.id for ref in revoked} == {issued.session.id, other.session.id}
    assert sessions.count() == 0


def test_an_id_that_is_none_is_said_and_goes_with_the_others(odd: tuple[Place, Any]) -> None:
    place, sessions = odd
    issued = issued_by(sessions)
    other = sessions.issue("bob", method="password")
    place.set(issued.session.id, "id", b"fifteen bytes..")
    assert sessions.validate(issued.token).reason == "unknown"
    with pytest.raises(BackendError, match=r"\(id\)"):
        sessions.find(user_id="ann")
    assert sessions.find(user_id="bob") == [other.session]
    assert sessions.revoke_all(user_id="ann") == []
    assert sessions.find() == [other.session]
    twenty_operations(sessions)


def test_changes_of_a_row_that_cannot_be_read_are_errors_of_ours(odd: tuple[Place, Any]) -> None:
    place, sessions = odd
    for column in (*TEXTS, *INSTANTS):
        issued = issued_by(sessions)
        place.set(issued.session.id, column, NOT_UTF8, sql="CAST(? AS TEXT)")
        try:
            session = sessions.update(issued.session.id, scopes={"new"}, metadata={})
        except BackendError as error:
            assert str(issued.session.id) in str(error)  # noqa: PT017 - it may also succeed
        else:
            # What was unreadable was overwritten, or the row counts as ended.
            assert session is None or column in ("scopes", "metadata")
        sessions.update_all(user_id="ann", scopes={"newer"})
        sessions.purge()
        sessions.count(live=True)
        sessions.pepper_status()
        assert isinstance(sessions.revoke(issued.session.id), bool)
    twenty_operations(sessions)
