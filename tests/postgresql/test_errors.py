"""Errors of the server's, each as one of ours, and without a word of what a row holds."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from canaries import Canaries, Net
from coatcheck import (
    BackendError,
    BackendUnavailable,
    DuplicateSession,
    OutcomeUnknown,
)
from postgresql_desks import Desk
from postgresql_places import Place
from servers import PostgresServer
from shared_servers import with_options
from sqlite_files import failing, reads_of, twenty_operations, writes_of
from transactions import WAYS

HASTY = timedelta(seconds=0.5)


class Watched:
    """A session whose hash must be seen in no error, and all that was raised."""

    def __init__(self, place: Place, sessions: Any) -> None:
        self.issued = sessions.issue("ann", method="password", scopes={"read"})
        self.canaries, self.net = Canaries(), Net()
        row: Any = place.row(self.issued.session.id)
        self.canaries.token(self.issued.token)
        self.canaries.key_hash(row["key_hash"])

    def raised(self, where: str, error: BaseException) -> None:
        self.net.error(where, error)
        assert self.net.leaks(self.canaries) == []


@pytest.mark.parametrize("broken", ["CHECK (scopes <> ' no ')", "check with the hash"])
def test_a_violated_constraint_quotes_no_row(place: Place, face: str, broken: str) -> None:
    """The server's DETAIL quotes the whole row, the hash in it too."""
    sessions = place.open(face)
    watched = Watched(place, sessions)
    check = broken if "CHECK" in broken else "CHECK (length(key_hash) > 0 AND scopes <> ' no ')"
    place.sql(f"ALTER TABLE coatcheck_session ADD {check}")
    for name, call in {
        "update": lambda: sessions.update(watched.issued.session.id, scopes={"no"}),
        "issue": lambda: sessions.issue("bob", method="password", scopes={"no"}),
        "update_all": lambda: sessions.update_all(user_id="ann", scopes={"no"}),
    }.items():
        with watched.net.listening(), pytest.raises(BackendError) as raised:
            call()
        assert "23514" in str(raised.value)
        watched.raised(name, raised.value)
    twenty_operations(sessions)


@pytest.mark.parametrize("way", WAYS)
def test_nor_does_one_in_a_transaction(place: Place, face: str, way: str) -> None:
    desk = Desk(place, face, way)
    watched = Watched(place, desk.sessions)
    place.sql("ALTER TABLE coatcheck_session ADD CHECK (scopes <> ' no ')")
    with desk.transaction() as transaction:
        bound = desk.within(transaction)
        with watched.net.listening(), pytest.raises(BackendError, match="23514") as raised:
            bound.update(watched.issued.session.id, scopes={"no"})
        watched.raised("update", raised.value)
        transaction.rollback()


def test_an_error_that_a_trigger_makes_up_is_an_error_of_ours(place: Place, face: str) -> None:
    sessions = place.open(face)
    watched = Watched(place, sessions)
    place.sql("""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION USING ERRCODE = 'XX999', MESSAGE = 'no', DETAIL = OLD.key_hash;
        END $$;
        CREATE TRIGGER refuse BEFORE DELETE ON coatcheck_session
            FOR EACH ROW EXECUTE FUNCTION refuse()
    """)
    with pytest.raises(BackendError, match="XX999") as raised:
        sessions.revoke(watched.issued.session.id)
    watched.raised("revoke", raised.value)


def test_the_same_id_twice_is_a_duplicate(place: Place, face: str) -> None:
    sessions = place.open(face)
    watched = Watched(place, sessions)
    backend = place.backend(face)
    record = backend.load(watched.issued.session.id)
    with pytest.raises(DuplicateSession) as raised:
        backend.insert(record)
    watched.net.error("insert", raised.value)
    assert watched.net.leaks(watched.canaries) == []


def test_a_database_that_takes_no_writes_is_read_and_else_unavailable(
    place: Place, face: str
) -> None:
    place.new_role("SET default_transaction_read_only = on", superuser=True)
    issued = _issued_by_another(place)
    sessions = place.open(face, prepare=False)
    session_id = issued.session.id
    for call in reads_of(sessions, session_id, issued.token).values():
        call()
    for name, call in writes_of(sessions, session_id).items():
        if name != "purge":
            with pytest.raises(BackendUnavailable, match="read-only"):
                call()
    assert sessions.validate(issued.token)


def _issued_by_another(place: Place) -> Any:
    url, place.url = place.url, with_options(place.database, schema=place.schema)
    try:
        return place.open().issue("ann", method="password")
    finally:
        place.url = url


@pytest.mark.parametrize(
    ("right", "working", "refused"),
    [("SELECT", "validate", "issue"), ("SELECT, INSERT", "issue", "revoke")],
)
def test_a_privilege_that_is_missing_is_said(
    place: Place, face: str, right: str, working: str, refused: str
) -> None:
    issued = _issued_by_another(place)
    role = place.new_role()
    place.sql(f"GRANT USAGE ON SCHEMA {place.schema} TO {role}")
    place.sql(f"GRANT SELECT ON coatcheck_version TO {role}")
    place.sql(f"GRANT {right} ON coatcheck_session TO {role}")
    sessions = place.open(face)
    calls = {**reads_of(sessions, issued.session.id, issued.token),
             **writes_of(sessions, issued.session.id)}  # fmt: skip
    calls[working]()
    with pytest.raises(BackendError, match="privileges"):
        calls[refused]()


def test_a_statement_that_the_server_cancels_is_unavailable(place: Place, face: str) -> None:
    issued = _issued_by_another(place)
    place.new_role("SET statement_timeout = '100ms'", superuser=True)
    sessions = place.open(face)
    other = place.connect()
    other.execute("SELECT 1 FROM coatcheck_session FOR UPDATE")
    with failing(BackendUnavailable, HASTY) as raised:
        sessions.revoke(issued.session.id)
    assert "cancelled" in str(raised.value)
    other.rollback()
    assert sessions.revoke(issued.session.id)


@pytest.mark.parametrize("what", ["password", "user", "database", "port"])
def test_what_cannot_be_connected_to_is_unavailable(place: Place, face: str, what: str) -> None:
    whole, _, host = place.database.rpartition("@")
    host, _, name = host.partition("/")
    wrong = {
        "password": "",
        "user": f"postgresql://nobody_at_all@{host}/{name}",
        "database": f"{whole}@{host}/no_such_database",
        "port": f"{whole}@127.0.0.1:1/{name}",
    }[what]
    if what == "password":  # the server of the tests asks for none, but knows who may not log in
        role = place.new_role("NOLOGIN")
        wrong = place.database.replace(whole, f"postgresql://{role}:other")
    place.url = wrong
    with failing(BackendUnavailable, timedelta(seconds=1)):
        place.open(face, deadline=timedelta(seconds=1))


def test_a_server_that_is_stopped_is_unavailable_and_back_without_a_restart_of_ours(
    own_place: Place, own_server: PostgresServer, face: str
) -> None:
    sessions = own_place.open(face, deadline=HASTY)
    issued = sessions.issue("ann", method="password")
    own_place.__dict__.pop("_behind").close()
    own_server.stop()
    try:
        for call in (
            lambda: sessions.validate(issued.token),
            sessions.ping,
            lambda: sessions.issue("bob", method="password"),
        ):
            with failing((BackendUnavailable, OutcomeUnknown), HASTY):
                call()
    finally:
        own_server.start()
    assert sessions.validate(issued.token)
    twenty_operations(sessions)


@pytest.fixture(scope="module")
def standby() -> Iterator[tuple[str, str]]:
    """A primary with the tables in it, and its standby: their URLs."""
    with PostgresServer({"wal_level": "replica", "max_wal_senders": 2}) as primary:
        place = Place(primary.url)
        place.sql("CHECKPOINT")
        primary_url = place.url
        place.close()
        primary.stop()
        other = PostgresServer({"hot_standby": "on"})
        shutil.copytree(primary.data, other.data)
        (other.data / "standby.signal").touch()
        settings = {"port": other.port, "primary_conninfo": ""}
        with (other.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        if other.user is not None:
            subprocess.run(["chown", "-R", other.user, str(other.data)], check=True)
        other.data.chmod(0o700)
        with other:
            yield primary_url, primary_url.replace(f":{primary.port}/", f":{other.port}/")


def test_a_standby_is_refused_unless_it_is_asked_for(
    place: Place, face: str, standby: tuple[str, str]
) -> None:
    place.url = standby[1]
    for prepare in (True, False):
        with pytest.raises(BackendUnavailable, match="allow_standby"):
            place.open(face, prepare=prepare)
    sessions = place.open(face, {"allow_standby": "true"})
    assert sessions.count() == 0
    with pytest.raises(BackendUnavailable, match="standby"):
        sessions.issue("ann", method="password")


def test_what_a_standby_cannot_promise_is_not_declared(place: Place, face: str) -> None:
    declared = place.backend(face).info().capabilities
    allowed = place.backend(face, allow_standby="true").info().capabilities
    assert {str(capability) for capability in set(declared) - set(allowed)} == {"linearizable"}
