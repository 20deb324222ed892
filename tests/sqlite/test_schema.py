"""Preparing a file: by eight at once, twice, not at all, and what is said of a wrong one."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from coatcheck import (
    BackendError,
    BackendUnavailable,
    ConfigError,
    SchemaMissing,
    SchemaTooNew,
)
from coatcheck_backends.sqlite import schema
from sqlite_files import PEPPER, Place, twenty_operations, verdict

EIGHT = 8


def test_eight_processes_may_prepare_at_once(tmp_path: Path) -> None:
    # One round for each way in which they can meet: all on nothing, and all on an empty file.
    places = [Place(tmp_path / str(n)) for n in range(6)]
    for n, place in enumerate(places):
        place.path.parent.mkdir()
        if n % 2:
            place.path.touch()
    with places[0].rooms:
        workers = [places[0].worker() for _ in range(EIGHT)]
        for worker in workers:
            worker.ask("warm_up")
        for place in places:
            for worker in workers:
                worker.tell("prepare", url=place.url)
            answers = [next(worker.lines()) for worker in workers]
            assert answers == [{"answer": "prepared"}] * EIGHT
            assert place.sql("SELECT * FROM coatcheck_version") == [("0001",)]
    for place in places:
        twenty_operations(place.open())
        place.close()


def test_a_second_preparation_changes_nothing(place: Place, face: str) -> None:
    token = place.open(face).issue("ann", method="password").token
    before = place.sql("SELECT * FROM sqlite_master ORDER BY name")
    again = place.open(face)
    assert place.sql("SELECT * FROM sqlite_master ORDER BY name") == before
    assert again.validate(token)


def test_without_the_right_to_prepare_a_missing_file_is_said_and_not_made(
    place: Place, face: str
) -> None:
    with pytest.raises(SchemaMissing, match="prepare"):
        place.open(face, prepare=False)
    assert place.files() == []


def make_empty(place: Place) -> None:
    place.path.touch()


def make_other(place: Place) -> None:
    place.sql("CREATE TABLE somebody_elses (x)")


def make_other_in_wal(place: Place) -> None:
    place.sql("PRAGMA journal_mode=WAL")
    place.sql("CREATE TABLE somebody_elses (x)")


def without_versions(place: Place) -> None:
    place.open().close()
    place.sql("DELETE FROM coatcheck_version")


def without_the_version_table(place: Place) -> None:
    place.open().close()
    place.sql("DROP TABLE coatcheck_version")


@pytest.mark.parametrize("make", [make_empty, make_other, make_other_in_wal, without_versions,
                                  without_the_version_table])  # fmt: skip
def test_without_the_right_to_prepare_a_missing_schema_is_said_and_not_made(
    place: Place, face: str, make: Any
) -> None:
    make(place)
    before = place.sql("SELECT name FROM sqlite_master ORDER BY name")
    with pytest.raises(SchemaMissing):
        place.open(face, prepare=False)
    assert place.sql("SELECT name FROM sqlite_master ORDER BY name") == before


def test_a_prepared_file_opens_without_that_right(place: Place, face: str) -> None:
    token = place.open().issue("ann", method="password").token
    sessions = place.open(face, prepare=False)
    assert sessions.validate(token)
    twenty_operations(sessions)


def test_a_file_that_is_not_in_wal_mode_counts_as_not_prepared_until_it_is(
    place: Place, face: str
) -> None:
    place.open(face).close()
    place.sql("PRAGMA journal_mode=DELETE")
    with pytest.raises(SchemaMissing, match="not in WAL mode"):
        place.open(face, prepare=False)
    twenty_operations(place.open())
    assert place.sql("PRAGMA journal_mode") == [("wal",)]


def test_where_there_can_be_no_wal_mode_that_is_said() -> None:
    with (
        closing(sqlite3.connect(":memory:")) as connection,
        pytest.raises(ConfigError, match="cannot hold a database in WAL mode"),
    ):
        schema._switch_to_wal(connection)


def test_a_file_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BackendUnavailable, match="cannot be made"):
        schema.make(str(tmp_path / "file" / "db"))


@pytest.mark.parametrize("prepare", [True, False])
@pytest.mark.parametrize("revisions", [["0002"], ["0001", "0002"], ["zzzz"]])
def test_a_newer_schema_is_refused_and_left_alone(
    place: Place, face: str, prepare: bool, revisions: list[str]
) -> None:
    place.open().close()
    place.sql("DELETE FROM coatcheck_version")
    for revision in revisions:
        place.sql("INSERT INTO coatcheck_version VALUES (?)", revision)
    with pytest.raises(SchemaTooNew, match="newer"):
        place.open(face, prepare=prepare)
    assert [row[0] for row in place.sql("SELECT * FROM coatcheck_version")] == revisions


@pytest.mark.parametrize("table", ["coatcheck_session", "coatcheck_version"])
def test_a_table_that_is_dropped_later_is_said_and_never_made_by_a_call(
    place: Place, face: str, table: str
) -> None:
    sessions = place.open(face)
    token = sessions.issue("ann", method="password").token
    place.sql(f"DROP TABLE {table}")
    before = place.sql("SELECT name FROM sqlite_master ORDER BY name")
    if table == "coatcheck_session":
        assert isinstance(verdict(sessions, token), SchemaMissing)
        with pytest.raises(BackendError):
            sessions.issue("ann", method="password")
    else:
        with pytest.raises(SchemaMissing):
            sessions.ping()
    assert place.sql("SELECT name FROM sqlite_master ORDER BY name") == before


def test_tables_of_the_users_own_may_stand_in_the_same_file(place: Place, face: str) -> None:
    place.sql("CREATE TABLE alembic_version (version_num TEXT)")
    place.sql("INSERT INTO alembic_version VALUES ('theirs')")
    sessions = place.open(face)
    twenty_operations(sessions)
    assert place.sql("SELECT * FROM alembic_version") == [("theirs",)]


def test_the_migrations_make_the_table_that_the_code_describes(place: Place) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from sqlalchemy import create_engine

    from coatcheck_backends.sql.tables import HEAD, Names, Sessions

    place.open().close()
    engine = create_engine(f"sqlite:///{place.path}")
    with engine.connect() as connection:
        options = {"version_table": Names().version_table, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert context.get_current_revision() == HEAD
        # Of an index on an expression SQLAlchemy cannot see the expression; it says so.
        with pytest.warns(match="expression-based index"):
            assert compare_metadata(context, Sessions(Names()).table.metadata) == []
    engine.dispose()
    [(sql,)] = place.sql("SELECT sql FROM sqlite_master WHERE name LIKE '%inactivity'")
    assert "(last_used_at + inactivity_timeout)" in sql


OPENED = """
import sys
from coatcheck import SessionManager
with SessionManager.open(sys.argv[1], pepper=sys.argv[2]) as sessions:
    token = sessions.issue("ann", method="password").token
    assert sessions.validate(token)
print(*sys.modules)
"""


def test_alembic_is_not_imported_for_a_file_that_is_prepared(place: Place) -> None:
    def modules() -> set[str]:
        command = [sys.executable, "-c", OPENED, place.url, PEPPER]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return set(done.stdout.split())

    assert "alembic" in modules(), "it is needed the first time"
    later = modules()
    assert not later & {"alembic", "mako", "pydantic", "typer", "sqlalchemy.orm", "sqlalchemy.ext"}
