"""Which revision of the schema a store has, and how it gets the newest one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from coatcheck import SchemaMissing, SchemaTooNew

from .tables import HEAD, REVISIONS, Names

if TYPE_CHECKING:
    from sqlalchemy import Connection

MIGRATIONS = Path(__file__).with_name("migrations")


def check_revision(stored: Iterable[object]) -> None:
    """Judge the rows of the version table.

    Raises `SchemaTooNew` for a revision that this code does not know, and
    `SchemaMissing` for an older one or none.
    """
    revisions = set(stored)
    if not revisions <= set(REVISIONS):
        raise SchemaTooNew("the store's schema was made by a newer coatcheck")
    if revisions != {HEAD}:
        raise SchemaMissing(
            "the store's schema is older than this coatcheck; run `coatcheck prepare`"
        )


def migrate(connection: Connection, names: Names) -> None:
    """Run the migrations that are missing, inside the caller's transaction."""
    # Here, because importing Alembic takes longer than opening the store.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["names"] = names
    command.upgrade(config, "head")
