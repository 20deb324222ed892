"""An older and a newer library on one schema, and schemas that are none of this one's."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import psycopg
import pytest

import coatcheck_backends.sql.schema as sql_schema
from coatcheck import BackendError, ConfigError, SchemaMissing, SchemaTooNew
from postgresql_places import Place, new_place
from sqlite_files import twenty_operations, verdict


def tables_of(place: Place, schema: str | None = None) -> list[str]:
    found = place.sql(
        "SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1", schema or place.schema
    )
    return [name for (name,) in found]


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
