"""The table of sessions and its indexes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "coatcheck_session",
        sa.Column("id", sa.LargeBinary(16), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("inactivity_timeout", sa.BigInteger(), nullable=True),
        sa.Column("key_hash", sa.Text(), nullable=False),
        sa.Column("pepper_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("coatcheck_session_user", "coatcheck_session", ["user_id", "id"])
    op.create_index("coatcheck_session_pepper", "coatcheck_session", ["pepper_id", "id"])
    op.create_index(
        "coatcheck_session_expiry",
        "coatcheck_session",
        ["expires_at"],
        sqlite_where=sa.text("expires_at IS NOT NULL"),
    )
    op.create_index(
        "coatcheck_session_inactivity",
        "coatcheck_session",
        [sa.text("last_used_at + inactivity_timeout")],
        sqlite_where=sa.text("inactivity_timeout IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_table("coatcheck_session")
