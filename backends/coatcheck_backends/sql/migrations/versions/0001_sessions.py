"""The table of sessions and its indexes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    table, schema = context.config.attributes["names"]
    op.create_table(
        table,
        sa.Column(
            "id",
            sa.LargeBinary(16).with_variant(postgresql.UUID(), "postgresql"),
            nullable=False,
        ),
        sa.Column("user_id", TEXT, nullable=False),
        sa.Column("method", TEXT, nullable=False),
        sa.Column("scopes", TEXT, nullable=False),
        sa.Column("metadata", TEXT, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("inactivity_timeout", sa.BigInteger(), nullable=True),
        sa.Column("key_hash", TEXT, nullable=False),
        sa.Column("pepper_id", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema=schema,
    )
    op.create_index(f"{table}_user", table, ["user_id", "id"], schema=schema)
    op.create_index(f"{table}_pepper", table, ["pepper_id", "id"], schema=schema)
    expires = sa.text("expires_at IS NOT NULL")
    op.create_index(
        f"{table}_expiry",
        table,
        ["expires_at"],
        schema=schema,
        sqlite_where=expires,
        postgresql_where=expires,
    )
    rests = sa.text("inactivity_timeout IS NOT NULL")
    op.create_index(
        f"{table}_inactivity",
        table,
        [sa.text("(last_used_at + inactivity_timeout)")],
        schema=schema,
        sqlite_where=rests,
        postgresql_where=rests,
    )


def downgrade() -> None:
    table, schema = context.config.attributes["names"]
    op.drop_table(table, schema=schema)
