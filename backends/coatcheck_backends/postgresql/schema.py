"""Making the schema, and checking it at open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zlib import crc32

from sqlalchemy import text
from sqlalchemy.schema import CreateSchema

from coatcheck import SchemaMissing

from ..sql.schema import check_revision, migrate
from ..sql.tables import Names

if TYPE_CHECKING:
    from sqlalchemy import Connection


def is_newest(revisions: list[object], *, create: bool) -> bool:
    """Whether nothing is left to do. Raises `SchemaTooNew`, and `SchemaMissing` for an old one
    that may not be changed."""
    try:
        check_revision(revisions)
    except SchemaMissing:
        if not create:
            raise
        return False
    return True


def make(connection: Connection, names: Names) -> None:
    """Run the migrations that are missing, in one transaction of one process at a time."""
    # Of several processes all but one wait here, and then find the work done.
    key = crc32(f"coatcheck {names.schema}.{names.table}".encode())
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
    if names.schema is not None and not _exists(connection, names.schema):
        connection.execute(CreateSchema(names.schema))
    if names.schema is None:
        _refuse_without_schema(connection)
    migrate(connection, names)


def _exists(connection: Connection, schema: str) -> bool:
    # CREATE SCHEMA IF NOT EXISTS wants the privilege to make one even where it is there.
    query = text("SELECT 1 FROM pg_namespace WHERE nspname = :name")
    found: Any = connection.execute(query, {"name": schema}).first()
    return found is not None


def _refuse_without_schema(connection: Connection) -> None:
    if connection.execute(text("SELECT current_schema()")).scalar() is None:
        raise SchemaMissing(
            "postgresql: the role's search path leads to no schema; name one with schema=…"
        )
