"""Run by Alembic for `schema.migrate`, on the connection and for the names that it was given."""

from __future__ import annotations

from alembic import context

from coatcheck_backends.sql.tables import Names, Sessions

names: Names = context.config.attributes["names"]

# No logging configuration is touched: the host application's is not ours to change.
# A connection that is in a transaction already stays in it, and is not committed.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Sessions(names).table.metadata,
    version_table=names.version_table,
    version_table_schema=names.schema,
)
context.run_migrations()
