"""Preparing a schema: by eight at once, twice, without the right to, and what is said of a
wrong one."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from sqlalchemy import create_engine

from children import Child
from coatcheck import BackendError, SchemaMissing, SessionManager
from coatcheck_backends.sql import tables
from coatcheck_backends.sql.tables import Names, Sessions
from postgresql_places import PEPPER, Place, new_place
from shared_servers import with_options
from sqlite_files import twenty_operations

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
