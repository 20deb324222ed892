"""What one SQL store does differently from another: each difference is one method of a flavour."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Protocol, TypeVar, cast
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Delete,
    Insert,
    LargeBinary,
    Select,
    Text,
    Update,
    and_,
    any_,
    bindparam,
    case,
    func,
    literal_column,
)
from sqlalchemy import cast as sa_cast
from sqlalchemy import select as sa_select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.engine import Dialect

from .tables import Names, Sessions

SPACE: ColumnElement[str] = literal_column("' '")
FRACTION: ColumnElement[float] = literal_column("0.5")
BEGINNING: ColumnElement[int] = literal_column(str(-(2**63 - 1)))
"""Before every instant that a column can hold, but for one that no clock ever shows."""

Write = TypeVar("Write", Insert, Update, Delete)


class Flavour(Protocol):
    """The differences that `statements.py` and `operations.py` ask for."""

    def __hash__(self) -> int:
        """Statements are kept by flavour."""
        ...

    @property
    def dialect(self) -> Dialect:
        """What compiles the statements, with the parameter style of the driver."""
        ...

    @property
    def sessions(self) -> Sessions:
        """The table, under the name that it has there."""
        ...

    def id_value(self, session_id: UUID) -> object:
        """A session id as a parameter."""
        ...

    def ids_value(self, session_ids: frozenset[UUID]) -> object:
        """Any number of session ids as one parameter, as `is_kept` takes it."""
        ...

    def later(self, one: ColumnElement[int], other: ColumnElement[int]) -> ColumnElement[int]:
        """The greater of two instants, neither of them NULL."""
        ...

    def is_under(
        self, column: ColumnElement[str], pepper_id: BindParameter[str]
    ) -> ColumnElement[bool]:
        """The pepper is this one, looked up in the index of peppers."""
        ...

    def is_past(self, end: ColumnElement[int], now: BindParameter[int]) -> ColumnElement[bool]:
        """The end has come, looked up in the index of such ends."""
        ...

    def has_scope(
        self, scopes: ColumnElement[str], scope: BindParameter[str]
    ) -> ColumnElement[bool]:
        """The scope is one of those that `rows.encode_scopes` wrote; exact, case included."""
        ...

    def is_kept(self, column: ColumnElement[bytes], keep: BindParameter[Any]) -> ColumnElement[Any]:
        """The id is one of `keep`."""
        ...

    def is_among(self, column: ColumnElement[Any], doomed: Select[Any]) -> ColumnElement[bool]:
        """The id is one of those that a query with a limit finds, once, and nobody else holds."""
        ...

    def octets(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """The bytes of a column, whatever was put into it. Fetching them cannot fail."""
        ...

    def undecoded(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """A column such that fetching it cannot fail: text comes as its octets."""
        ...

    def settled(self, statement: Write, *, lasting: bool) -> Write:
        """A write with what the store must be told of it: how long it may wait for a lock, and
        whether it must survive a crash once it is acknowledged."""
        ...


class SQLiteFlavour:
    """SQLite, by way of the standard library's `sqlite3`."""

    dialect: Dialect = sqlite.dialect()
    sessions = Sessions(Names())

    def id_value(self, session_id: UUID) -> object:
        return session_id.bytes

    def ids_value(self, session_ids: frozenset[UUID]) -> object:
        """A JSON list of ids in upper-case hexadecimal."""
        return json.dumps([session_id.hex.upper() for session_id in session_ids])

    def later(self, one: ColumnElement[int], other: ColumnElement[int]) -> ColumnElement[int]:
        return func.max(one, other)

    def is_under(
        self, column: ColumnElement[str], pepper_id: BindParameter[str]
    ) -> ColumnElement[bool]:
        return column == pepper_id

    def is_past(self, end: ColumnElement[int], now: BindParameter[int]) -> ColumnElement[bool]:
        return end <= now

    def has_scope(
        self, scopes: ColumnElement[str], scope: BindParameter[str]
    ) -> ColumnElement[bool]:
        # Not LIKE: it folds case, and % and _ are legal in a scope.
        return func.instr(scopes, SPACE.concat(scope).concat(SPACE)) > literal_column("0")

    def is_kept(self, column: ColumnElement[bytes], keep: BindParameter[Any]) -> ColumnElement[Any]:
        kept = func.json_each(keep).table_valued("value")
        return func.hex(column).in_(sa_select(kept.c.value))

    def is_among(self, column: ColumnElement[Any], doomed: Select[Any]) -> ColumnElement[bool]:
        return column.in_(doomed.scalar_subquery())

    def octets(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        return sa_cast(column, LargeBinary)

    def undecoded(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        # The driver decodes text while it fetches, and its error quotes the text.
        is_text = func.typeof(column) == literal_column("'text'")
        # Octets that stand where they should not would look like text, so they come as a
        # fraction, which no column may hold.
        is_blob = func.typeof(column) == literal_column("'blob'")
        return case((is_text, self.octets(column)), (is_blob, FRACTION), else_=column)

    def settled(self, statement: Write, *, lasting: bool) -> Write:  # noqa: ARG002 - a pragma's part
        return statement


class PostgreSQLFlavour:
    """PostgreSQL, by way of psycopg's raw cursors and asyncpg, whose parameters are `$1`.

    :param names: of the tables.
    :param waiting: writes say how long they may wait for a lock, as the parameter `patience`
        (milliseconds, as text). Not inside a caller's transaction, where it would go on to
        hold for the statements of the caller.
    """

    dialect: Dialect = PGDialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]

    def __init__(self, names: Names, *, waiting: bool = True) -> None:
        self.sessions = Sessions(names)
        self.waiting = waiting

    def id_value(self, session_id: UUID) -> object:
        return session_id

    def ids_value(self, session_ids: frozenset[UUID]) -> object:
        return list(session_ids)

    def later(self, one: ColumnElement[int], other: ColumnElement[int]) -> ColumnElement[int]:
        return func.greatest(one, other)

    def is_under(
        self, column: ColumnElement[str], pepper_id: BindParameter[str]
    ) -> ColumnElement[bool]:
        # The second half says nothing new. But the plan of a prepared statement is for any
        # value, so that it would take a pepper for one of average: where there is but one, for
        # that of all sessions, and read them all for one that nobody has. A range is taken
        # for a narrow one.
        return and_(column == pepper_id, column.between(pepper_id, pepper_id))

    def is_past(self, end: ColumnElement[int], now: BindParameter[int]) -> ColumnElement[bool]:
        # As above: with no beginning it would be taken for a third of all sessions.
        return end.between(BEGINNING, now)

    def has_scope(
        self, scopes: ColumnElement[str], scope: BindParameter[str]
    ) -> ColumnElement[bool]:
        wanted = SPACE.concat(sa_cast(scope, Text)).concat(SPACE)
        return func.strpos(scopes, wanted) > literal_column("0")

    def is_kept(self, column: ColumnElement[bytes], keep: BindParameter[Any]) -> ColumnElement[Any]:
        return column == any_(sa_cast(keep, postgresql.ARRAY(postgresql.UUID())))

    def is_among(self, column: ColumnElement[Any], doomed: Select[Any]) -> ColumnElement[bool]:
        # An array is made once; a plain subquery might be run again for every row. What
        # another purge holds is left to it.
        held = doomed.with_for_update(skip_locked=True)
        return column == any_(func.array(held.scalar_subquery()))

    def octets(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        # PostgreSQL lets no text in that is not valid.
        return column

    def undecoded(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        return column

    def settled(self, statement: Write, *, lasting: bool) -> Write:
        """The settings hold for the one transaction, since a pooler between us and the server
        may give the next one to another connection, and they cost no round trip: the
        statement makes them itself, before it waits for a lock and before it commits."""
        settings = [_durability(lasting)]
        if self.waiting:
            settings.append(_set("lock_timeout", bindparam("patience", type_=Text)))
        if isinstance(statement, Insert):
            return cast("Write", statement.returning(*settings))
        return statement.where(and_(*map(_is_made, settings)))


@cache
def postgresql_flavour(names: Names, *, waiting: bool = True) -> PostgreSQLFlavour:
    """The one for these names, with all the statements that were ever compiled for them."""
    return PostgreSQLFlavour(names, waiting=waiting)


def _durability(lasting: bool) -> ColumnElement[str]:
    """Whatever the server's default: at least `on`, that is written to the disk of the
    primary and of the synchronous standbys; or `off`, for what may be lost."""
    setting = "synchronous_commit"
    if not lasting:
        return _set(setting, literal_column("'off'"))
    today = func.current_setting(literal_column(f"'{setting}'"))
    stronger: ColumnElement[str] = literal_column("'remote_apply'")
    weakest: ColumnElement[str] = literal_column("'on'")
    return _set(setting, case((today == stronger, stronger), else_=weakest))


def _set(name: str, value: ColumnElement[str]) -> ColumnElement[str]:
    return func.set_config(literal_column(f"'{name}'"), value, literal_column("true"))


def _is_made(setting: ColumnElement[str]) -> ColumnElement[bool]:
    # As a subquery it is asked once, before any row is looked at.
    return sa_select(setting).scalar_subquery().is_not(None)
