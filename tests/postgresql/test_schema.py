"""Preparing a schema: by eight at once, twice, without the right to, and what is said of a
wrong one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine

import coatcheck_backends.sql.schema as sql_schema
from children import Child
from coatcheck import BackendError, ConfigError, SchemaMissing, SchemaTooNew, SessionManager
from coatcheck_backends.sql import tables
from coatcheck_backends.sql.tables import Names, Sessions
from postgresql_places import PEPPER, Place, new_place
from shared_servers import with_options
from sqlite_files import twenty_operations, verdict

EIGHT = 8


def tables_of(place: Place, schema: str | None = None) -> list[str]:
    found = place.sql(
        "SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1", schema or place.schema
    )
    return [name for (name,) in found]


def indexes_of(place: Place) -> list[tuple[Any, ...]]:
    return place.sql(
        "SELECT indexname, replace(indexdef, schemaname, '') FROM pg_indexes"
        " WHERE schemaname = %s ORDER BY 1",
        place.schema,
    )


def test_a_schema_that_is_missing_is_made_with_its_tables(bare_place: Place, face: str) -> None:
    assert tables_of(bare_place) == []
    sessions = bare_place.open(face)
    assert tables_of(bare_place) == ["coatcheck_session", "coatcheck_version"]
    twenty_operations(sessions)


def test_the_migrations_make_the_table_that_the_code_describes(bare_place: Place) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    bare_place.open().close()
    url = bare_place.database.replace("postgresql:", "postgresql+psycopg:", 1)
    engine = create_engine(url)
    names = Names(schema=bare_place.schema)

    def is_here(name: str | None, kind: str, parents: Any) -> bool:
        return kind != "schema" or name == names.schema

    with engine.connect() as connection:
        options: dict[str, Any] = {
            "version_table": names.version_table,
            "version_table_schema": names.schema,
            "compare_type": True,
            "include_schemas": True,
            "include_name": is_here,
        }
        context = MigrationContext.configure(connection, opts=options)
        assert context.get_current_revision() == tables.HEAD
        assert compare_metadata(context, Sessions(names).table.metadata) == []
    engine.dispose()


def test_what_the_tests_make_by_themselves_is_what_the_migrations_make(
    place: Place, bare_place: Place
) -> None:
    bare_place.open().close()
    query = (
        "SELECT attname, format_type(atttypid, atttypmod), attnotnull, collname"
        " FROM pg_attribute LEFT JOIN pg_collation c ON c.oid = attcollation"
        " WHERE attrelid = 'coatcheck_session'::regclass AND attnum > 0 ORDER BY attnum"
    )
    assert place.sql(query) == bare_place.sql(query)
    assert indexes_of(place) == [
        (name.replace("version_pkc", "version_pkey"), line.replace("version_pkc", "version_pkey"))
        for name, line in indexes_of(bare_place)
    ]


def test_text_compares_by_code_points(bare_place: Place) -> None:
    bare_place.open().close()
    collations = bare_place.sql(
        "SELECT DISTINCT collation_name FROM information_schema.columns"
        " WHERE table_schema = %s AND table_name = 'coatcheck_session' AND data_type = 'text'",
        bare_place.schema,
    )
    assert collations == [("C",)]


def test_eight_processes_may_prepare_at_once(bare_place: Place) -> None:
    # Forked when everything is imported, so that they really meet.
    warm = bare_place.open()
    warm.close()
    urls = [with_options(bare_place.database, schema=f"{bare_place.schema}_{n}") for n in range(4)]

    def prepare(start: int) -> str:
        os.read(start, 1)
        for url in urls:
            SessionManager.open(url, pepper=PEPPER).close()
        return "prepared"

    reading, writing = os.pipe()
    children = [Child(lambda: prepare(reading)) for _ in range(EIGHT)]
    os.write(writing, b"!" * EIGHT)
    assert [child.answer() for child in children] == ["prepared"] * EIGHT
    os.close(reading)
    os.close(writing)
    for n in range(len(urls)):
        versions = bare_place.sql(f"SELECT * FROM {bare_place.schema}_{n}.coatcheck_version")
        assert versions == [(tables.HEAD,)]


def test_a_second_preparation_changes_nothing(bare_place: Place, face: str) -> None:
    token = bare_place.open(face).issue("ann", method="password").token
    before = tables_of(bare_place), indexes_of(bare_place)
    again = bare_place.open(face)
    assert (tables_of(bare_place), indexes_of(bare_place)) == before
    assert again.validate(token)


@pytest.mark.parametrize("state", ["no schema", "no tables", "no version", "no version table"])
def test_without_the_right_to_prepare_what_is_missing_is_said_and_not_made(
    bare_place: Place, face: str, state: str
) -> None:
    if state == "no tables":
        bare_place.sql(f"CREATE SCHEMA {bare_place.schema}")
    elif state != "no schema":
        bare_place.open().close()
        end = "DELETE FROM" if state == "no version" else "DROP TABLE"
        bare_place.sql(f"{end} coatcheck_version")
    before = tables_of(bare_place)
    with pytest.raises(SchemaMissing, match="coatcheck prepare"):
        bare_place.open(face, prepare=False)
    assert tables_of(bare_place) == before


@pytest.mark.parametrize("prepare", [True, False])
@pytest.mark.parametrize("revisions", [["0002"], ["0001", "0002"], ["zzzz"]])
def test_a_newer_schema_is_refused_and_left_alone(
    place: Place, face: str, prepare: bool, revisions: list[str]
) -> None:
    place.sql("DELETE FROM coatcheck_version")
    for revision in revisions:
        place.sql("INSERT INTO coatcheck_version VALUES (%s)", revision)
    with pytest.raises(SchemaTooNew, match="newer"):
        place.open(face, prepare=prepare)
    assert [row[0] for row in place.sql("SELECT * FROM coatcheck_version ORDER BY 1")] == revisions


@pytest.mark.parametrize("table", ["coatcheck_session", "coatcheck_version"])
def test_a_table_that_is_dropped_later_is_said_and_never_made_by_a_call(
    place: Place, face: str, table: str
) -> None:
    sessions = place.open(face)
    token = sessions.issue("ann", method="password").token
    place.sql(f"DROP TABLE {table}")
    before = tables_of(place)
    if table == "coatcheck_session":
        assert isinstance(verdict(sessions, token), SchemaMissing)
        with pytest.raises(BackendError):
            sessions.issue("ann", method="password")
    else:
        with pytest.raises(SchemaMissing):
            sessions.ping()
    assert tables_of(place) == before


def test_two_tables_of_sessions_may_stand_in_one_schema(place: Place, face: str) -> None:
    doors, desks = place.open(face), place.open(face, {"table": "desk_session"})
    at_door, at_desk = (each.issue("ann", method="password") for each in (doors, desks))
    assert tables_of(place) == [
        "coatcheck_session", "coatcheck_version", "desk_session", "desk_session_version"
    ]  # fmt: skip
    assert desks.validate(at_desk.token)
    assert not desks.validate(at_door.token)
    assert desks.revoke_all(user_id="ann")
    assert doors.validate(at_door.token)
    twenty_operations(desks)


def test_names_as_long_as_they_may_be(postgresql_url: str, face: str) -> None:
    with new_place(postgresql_url, prepared=False) as place:
        place.schema = place.schema.ljust(50, "x")
        place.url = with_options(place.database, schema=place.schema, table="t" * 50)
        twenty_operations(place.open(face))
        assert len(indexes_of(place)) == 6


@pytest.mark.parametrize("prepare", [True, False])
def test_a_role_that_may_only_change_rows_is_enough(place: Place, face: str, prepare: bool) -> None:
    role = place.new_role()
    place.sql(f"GRANT USAGE ON SCHEMA {place.schema} TO {role}")
    place.sql(f"GRANT SELECT ON coatcheck_version TO {role}")
    place.sql(f"GRANT SELECT, INSERT, UPDATE, DELETE ON coatcheck_session TO {role}")
    sessions = place.open(face, prepare=prepare)
    twenty_operations(sessions)
    sessions.issue("ann", method="password")
    sessions.issue("bob", method="password")
    assert sessions.update_all(user_id="ann", scopes={"read"}) == 1
    assert sessions.count() == len(sessions.find()) == 2
    assert len(sessions.revoke_all(user_id="ann")) == 1
    assert sessions.purge() == 0
    sessions.ping()


def test_a_role_that_may_not_make_a_schema_can_fill_one_that_is_there(
    bare_place: Place, face: str
) -> None:
    role = bare_place.new_role()
    bare_place.sql(f"CREATE SCHEMA {bare_place.schema}")
    bare_place.sql(f"GRANT USAGE, CREATE ON SCHEMA {bare_place.schema} TO {role}")
    twenty_operations(bare_place.open(face))
    bare_place.url = bare_place.url.replace("schema=", "schema=not_")
    with pytest.raises(BackendError, match="privileges"):
        bare_place.open(face)


def test_a_search_path_that_leads_nowhere_is_said(bare_place: Place, face: str) -> None:
    bare_place.url = bare_place.database
    bare_place.new_role("SET search_path = nowhere")
    with pytest.raises(SchemaMissing, match="schema="):
        bare_place.open(face)


def test_the_applications_own_tables_stand_beside_ours_and_are_left_alone(
    bare_place: Place, face: str
) -> None:
    bare_place.sql(f"CREATE SCHEMA {bare_place.schema}")
    bare_place.sql("CREATE TABLE alembic_version (version_num TEXT)")
    bare_place.sql("INSERT INTO alembic_version VALUES ('theirs')")
    twenty_operations(bare_place.open(face))
    assert bare_place.sql("SELECT * FROM alembic_version") == [("theirs",)]


def test_a_preparation_that_fails_leaves_nothing_half_made(bare_place: Place, face: str) -> None:
    bare_place.sql(f"CREATE SCHEMA {bare_place.schema}")
    bare_place.sql("CREATE TABLE coatcheck_session_expiry (in_the_way int)")
    before = tables_of(bare_place)
    with pytest.raises(BackendError):
        bare_place.open(face)
    assert tables_of(bare_place) == before
    bare_place.sql("DROP TABLE coatcheck_session_expiry")
    twenty_operations(bare_place.open(face))


OPENED = """
import sys
from coatcheck import SessionManager
with SessionManager.open(sys.argv[1], pepper=sys.argv[2]) as sessions:
    token = sessions.issue("ann", method="password").token
    assert sessions.validate(token)
print(*sys.modules)
"""


def test_alembic_is_not_imported_for_a_schema_that_is_prepared(place: Place) -> None:
    command = [sys.executable, "-c", OPENED, place.url, PEPPER]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    modules = set(done.stdout.split())
    assert not modules & {"alembic", "mako", "pydantic", "typer", "asyncpg", "sqlalchemy.orm"}


NEXT_REVISION = """
import sqlalchemy as sa
from alembic import context, op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade():
    table, schema = context.config.attributes["names"]
    op.add_column(table, sa.Column("note", sa.Text(), server_default="none"), schema=schema)
"""


@pytest.fixture
def next_version(tmp_path: Path) -> Any:
    """The library of tomorrow, with one more revision, for as long as it is entered."""
    migrations = tmp_path / "migrations"
    shutil.copytree(sql_schema.MIGRATIONS, migrations)
    (migrations / "versions" / "0002_notes.py").write_text(NEXT_REVISION)
    patch = pytest.MonkeyPatch()

    def change() -> None:
        patch.setattr(sql_schema, "MIGRATIONS", migrations)
        patch.setattr(sql_schema, "REVISIONS", ("0001", "0002"))
        patch.setattr(sql_schema, "HEAD", "0002")

    yield change, patch.undo
    patch.undo()


def test_an_older_and_a_newer_library_side_by_side(
    bare_place: Place, face: str, next_version: Any
) -> None:
    update_library, downgrade_library = next_version
    old = bare_place.open(face)
    issued = [old.issue(f"user {n}", method="password", scopes={"read"}) for n in range(5)]

    update_library()
    with pytest.raises(SchemaMissing, match="older"):
        bare_place.open(face, prepare=False)
    new = bare_place.open(face)
    assert bare_place.sql("SELECT version_num FROM coatcheck_version") == [("0002",)]
    assert bare_place.sql("SELECT DISTINCT note FROM coatcheck_session") == [("none",)]
    for each in issued:
        assert new.validate(each.token) == each.session
        assert old.validate(each.token) == each.session, "what runs already goes on"
    twenty_operations(new)
    twenty_operations(old)

    downgrade_library()
    for prepare in (True, False):
        with pytest.raises(SchemaTooNew):
            bare_place.open(face, prepare=prepare)
    assert bare_place.sql("SELECT version_num FROM coatcheck_version") == [("0002",)]
    assert old.validate(issued[0].token)


def test_a_table_without_its_id_is_not_taken_for_ours(place: Place, face: str) -> None:
    sessions = place.open(face)
    token = sessions.issue("ann", method="password").token
    place.sql("ALTER TABLE coatcheck_session RENAME COLUMN key_hash TO other")
    assert isinstance(verdict(sessions, token), SchemaMissing)
    place.sql("ALTER TABLE coatcheck_session RENAME COLUMN other TO key_hash")
    assert verdict(sessions, token)


def test_a_database_that_is_not_in_utf8_is_refused(postgresql_url: str, face: str) -> None:
    with new_place(postgresql_url, prepared=False) as place:
        name = f"{place.schema}_ascii"
        place.sql(
            f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0"
            " STRATEGY file_copy"
        )
        own = place.database
        place.url = own.replace(own.rpartition("/")[2], name)
        with pytest.raises(ConfigError, match="UTF8"):
            place.open(face)
        with psycopg.connect(own, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[call-overload]
