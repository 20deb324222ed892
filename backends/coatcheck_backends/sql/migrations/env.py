"""Run by Alembic for `schema.migrate`, on the connection that it was given."""

from __future__ import annotations

from alembic import context

from coatcheck_backends.sql.tables import VERSION_TABLE, metadata

# No logging configuration is touched: the host application's is not ours to change.
# A connection that is in a transaction already stays in it, and is not committed.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
)
context.run_migrations()
