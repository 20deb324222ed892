"""The one table, as SQLAlchemy Core sees it. The migrations make it; `compare` finds them equal.

Instants and spans are milliseconds. An end that a session does not have is NULL. Text
compares by code points, which is SQLite's default collation and is asked of PostgreSQL.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

from sqlalchemy import BigInteger, Column, ColumnElement, Index, LargeBinary, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import UUID

REVISIONS = ("0001",)
"""Every schema that ever was, oldest first, so that the check at open needs no Alembic."""

HEAD = REVISIONS[-1]

SESSION_ID = LargeBinary(16).with_variant(UUID(), "postgresql")
TEXT = Text().with_variant(Text(collation="C"), "postgresql")


class Names(NamedTuple):
    """What the tables are called in one store."""

    table: str = "coatcheck_session"
    schema: str | None = None
    """`None` is whatever the store takes without one."""

    @property
    def version_table(self) -> str:
        """Alembic's table, under a name of our own: the host application may use Alembic as
        well, and may have several tables of sessions."""
        return "coatcheck_version" if self.table == Names().table else f"{self.table}_version"


class Sessions:
    """The table of sessions under its name, and the end by inactivity."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.table = _table(names)
        self.id: ColumnElement[bytes] = self.table.c.id

    @cached_property
    def columns(self) -> list[Column[object]]:
        """All but the id, in the order of `Record`."""
        return [column for column in self.table.c if column.name != "id"]

    @cached_property
    def inactive_at(self) -> ColumnElement[int]:
        """Spelt as in its index, or the index would not be found."""
        return _inactive_at(self.table)


def _inactive_at(table: Table) -> ColumnElement[int]:
    ends: ColumnElement[int] = table.c.last_used_at + table.c.inactivity_timeout
    return ends


# An ordinary rowid table: WITHOUT ROWID reads no faster with small rows (13.3 against 14.7 µs
# at 100,000 sessions) and three times slower once metadata is 2 KB.
def _table(names: Names) -> Table:
    table = Table(
        names.table,
        MetaData(),
        Column("id", SESSION_ID, primary_key=True),
        Column("user_id", TEXT, nullable=False),
        Column("method", TEXT, nullable=False),
        Column("scopes", TEXT, nullable=False),
        Column("metadata", TEXT, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("last_used_at", BigInteger, nullable=False),
        Column("expires_at", BigInteger),
        Column("inactivity_timeout", BigInteger),
        Column("key_hash", TEXT, nullable=False),
        Column("pepper_id", TEXT, nullable=False),
        schema=names.schema,
    )
    expires, timeout = table.c.expires_at.is_not(None), table.c.inactivity_timeout.is_not(None)
    # The names of indexes are unique in a whole schema, so they begin with the table's.
    prefix = names.table
    # With the id behind them, an index alone gives a user's pages in order.
    Index(f"{prefix}_user", table.c.user_id, table.c.id)
    Index(f"{prefix}_pepper", table.c.pepper_id, table.c.id)
    Index(f"{prefix}_expiry", table.c.expires_at, sqlite_where=expires, postgresql_where=expires)
    Index(
        f"{prefix}_inactivity", _inactive_at(table), sqlite_where=timeout, postgresql_where=timeout
    )
    return table
