"""Statements, built and compiled once for each shape of filter: SQL text and parameter order.

Pure functions. A `Statement` runs on the driver's own connection, since SQLAlchemy's
execution costs more than the store itself, and its echo and its errors show parameters.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from sqlalchemy import (
    BindParameter,
    ClauseElement,
    ColumnElement,
    Update,
    and_,
    bindparam,
    delete,
    false,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy import column as sql_column
from sqlalchemy import table as sql_table

from coatcheck import Where

from .flavours import Flavour, Write
from .tables import Sessions

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import SQLCompiler

ZERO: ColumnElement[int] = literal_column("0")
"""Written out; also as OFFSET, which SQLAlchemy would else add for SQLite as a parameter."""
EMPTY: ColumnElement[str] = literal_column("''")
ALL_STATES = frozenset({"live", "expired", "inactive"})


class Statement(NamedTuple):
    """SQL text, and the names of its parameters in the order of their places."""

    sql: str
    names: tuple[str, ...]
    bare: Statement | None = None
    """A write without what `Flavour.settled` adds to it, for a connection that is settled."""

    def bind(self, values: Mapping[str, object]) -> tuple[object, ...]:
        """The parameters, by place."""
        return tuple([values[name] for name in self.names])


class Shape(NamedTuple):
    """Which fields of a `Where` filter; all that the text of a statement depends on."""

    user_id: bool
    method: bool
    scope: bool
    pepper_id: bool
    state: frozenset[str] | None


def shape_of(where: Where) -> Shape:
    """The shape of a filter."""
    return Shape(
        where.user_id is not None,
        where.method is not None,
        where.scope is not None,
        where.pepper_id is not None,
        None if where.state == ALL_STATES else where.state,
    )


def values_of_where(where: Where) -> dict[str, object]:
    """The parameters that a condition may ask for."""
    return {
        "where_user_id": where.user_id,
        "where_method": where.method,
        "where_scope": where.scope,
        "where_pepper_id": where.pepper_id,
        "now": where.now,
    }


@cache
def stored_version(flavour: Flavour) -> Statement:
    """The revision of the schema, in Alembic's own table."""
    names = flavour.sessions.names
    versions = sql_table(names.version_table, sql_column("version_num"), schema=names.schema)
    return _compiled(flavour, select(versions.c.version_num))


@cache
def insert_session(flavour: Flavour) -> Statement:
    """A plain INSERT, so that a second one of the same id fails."""
    table = flavour.sessions.table
    statement = insert(table).values({c.name: _of(c.name) for c in table.c})
    return _write(flavour, statement, lasting=True)


@cache
def load_session(flavour: Flavour, *, undecoded: bool = False) -> Statement:
    """The columns after the id, for `id`."""
    key = flavour.sessions.id
    return _compiled(flavour, select(*_columns(flavour, undecoded)).where(key == _of("id")))


@cache
def touch_session(flavour: Flavour) -> Statement:
    """Raises `last_used_at` to `now`; a row that is absent or not live is not counted."""
    sessions = flavour.sessions
    live = _in_states(flavour, frozenset({"live"}), by_index=False)
    later = flavour.later(sessions.table.c.last_used_at, _of("now"))
    statement = update(sessions.table).values(last_used_at=later)
    statement = statement.where(sessions.id == _of("id"), *live)
    return _write(flavour, statement, lasting=False)


@cache
def replace_key_hash(flavour: Flavour) -> Statement:
    """Hash and pepper together, guarded by the old hash."""
    sessions = flavour.sessions
    new = {"key_hash": _of("new_key_hash"), "pepper_id": _of("new_pepper_id")}
    guard = (sessions.id == _of("id"), sessions.table.c.key_hash == _of("old_key_hash"))
    statement = update(sessions.table).values(new).where(*guard)
    return _write(flavour, statement, lasting=True)


@cache
def update_session(flavour: Flavour, shape: Shape, changed: frozenset[str]) -> Statement:
    """The named fields of `id`, if it matches; gives the columns after the id."""
    sessions = flavour.sessions
    guard = (sessions.id == _of("id"), *_condition(flavour, shape))
    statement = update(sessions.table).values(_new(sessions, changed)).where(*guard)
    showing: Update = statement.returning(*_columns(flavour, undecoded=False))
    return _write(flavour, showing, lasting=True)


@cache
def delete_session(flavour: Flavour, shape: Shape) -> Statement:
    """`id`, if it matches; gives user and method as bytes, so that any row can go."""
    sessions = flavour.sessions
    guard = (sessions.id == _of("id"), *_condition(flavour, shape))
    statement = delete(sessions.table).where(*guard).returning(*_reference(flavour))
    return _write(flavour, statement, lasting=True)


@cache
def find_sessions(
    flavour: Flavour, shape: Shape, *, paged: bool, undecoded: bool = False
) -> Statement:
    """At most `limit` rows with their id, in its order, above `after` if `paged`."""
    key = flavour.sessions.id
    conditions = _condition(flavour, shape, by_index=False)
    if paged:
        conditions.append(key > _of("after"))
    statement = select(key, *_columns(flavour, undecoded)).where(*conditions)
    return _compiled(flavour, statement.order_by(key).limit(_of("limit")).offset(ZERO))


@cache
def count_sessions(flavour: Flavour, shape: Shape) -> Statement:
    """How many match."""
    statement = select(func.count()).select_from(flavour.sessions.table)
    return _compiled(flavour, statement.where(*_condition(flavour, shape)))


@cache
def update_sessions(flavour: Flavour, shape: Shape, changed: frozenset[str]) -> Statement:
    """The named fields of all that match."""
    sessions = flavour.sessions
    statement = update(sessions.table).values(_new(sessions, changed))
    statement = statement.where(*_condition(flavour, shape))
    return _write(flavour, statement, lasting=True)


@cache
def delete_sessions(flavour: Flavour, shape: Shape, *, keeping: bool) -> Statement:
    """All that match, but those of `keep`; gives id, user and method."""
    sessions = flavour.sessions
    conditions = _condition(flavour, shape)
    if keeping:
        conditions.append(~flavour.is_kept(sessions.id, _of("keep")))
    statement = delete(sessions.table).where(*conditions)
    named = statement.returning(sessions.id, *_reference(flavour))
    return _write(flavour, named, lasting=True)


@cache
def purge_sessions(flavour: Flavour, shape: Shape) -> Statement:
    """At most `limit` that match."""
    sessions = flavour.sessions
    doomed = select(sessions.id).where(*_condition(flavour, shape))
    doomed = doomed.limit(_of("limit")).offset(ZERO)
    statement = delete(sessions.table).where(flavour.is_among(sessions.id, doomed))
    return _write(flavour, statement, lasting=True)


@cache
def pepper_counts(flavour: Flavour) -> Statement:
    """Sessions under each pepper."""
    pepper_id = flavour.sessions.table.c.pepper_id
    statement = select(flavour.octets(pepper_id), func.count())
    return _compiled(flavour, statement.group_by(pepper_id))


def _of(name: str) -> BindParameter[Any]:
    return bindparam(name)


def _compiled(flavour: Flavour, statement: ClauseElement) -> Statement:
    compiled = cast("SQLCompiler", statement.compile(dialect=flavour.dialect))
    return Statement(compiled.string, tuple(compiled.positiontup or ()))


def _write(flavour: Flavour, statement: Write, *, lasting: bool) -> Statement:
    settled = _compiled(flavour, flavour.settled(statement, lasting=lasting))
    # One that may be lost says so itself, on any connection.
    return settled._replace(bare=_compiled(flavour, statement)) if lasting else settled


def _columns(flavour: Flavour, undecoded: bool) -> list[ColumnElement[Any]]:
    return [
        flavour.undecoded(column) if undecoded else column for column in flavour.sessions.columns
    ]


def _reference(flavour: Flavour) -> list[ColumnElement[Any]]:
    columns = flavour.sessions.table.c
    return [flavour.octets(columns.user_id), flavour.octets(columns.method)]


def _new(sessions: Sessions, changed: frozenset[str]) -> dict[str, ColumnElement[Any]]:
    # Without a column SQLAlchemy would set them all, and the guard must be asked either way.
    return {name: _of(f"new_{name}") for name in sorted(changed)} or {"id": sessions.id}


def _condition(
    flavour: Flavour, shape: Shape, *, by_index: bool = True
) -> list[ColumnElement[bool]]:
    sessions = flavour.sessions
    columns = sessions.table.c
    conditions: list[ColumnElement[bool]] = []
    if shape.user_id:
        conditions.append(columns.user_id == _of("where_user_id"))
    if shape.method:
        conditions.append(columns.method == _of("where_method"))
    if shape.scope:
        conditions.append(flavour.has_scope(columns.scopes, _of("where_scope")))
    if shape.pepper_id:
        wanted = _of("where_pepper_id")
        if shape.user_id:
            # Off its index, as in `_in_states`: few sessions are one user's.
            conditions.append(columns.pepper_id.concat(EMPTY) == wanted)
        else:
            conditions.append(flavour.is_under(columns.pepper_id, wanted))
    if shape.state is not None:
        by_index = by_index and not (shape.user_id or shape.pepper_id)
        conditions += _in_states(flavour, shape.state, by_index=by_index)
    return conditions


def _in_states(
    flavour: Flavour, state: frozenset[str], *, by_index: bool
) -> list[ColumnElement[bool]]:
    """The conditions, all to be met, that a session is in one of some states at `now`.

    Adding 0 keeps the planner off the indexes of the two ends where another index, or the
    primary key in its order, serves better: one user's sessions, and pages that stop early.
    """
    columns, now = flavour.sessions.table.c, _of("now")
    expires_at, timeout = columns.expires_at, columns.inactivity_timeout
    inactive_at = flavour.sessions.inactive_at
    expiry = expires_at if by_index else expires_at + ZERO
    inactivity = inactive_at if by_index else inactive_at + ZERO
    is_past = flavour.is_past if by_index else operator.le
    expired = is_past(expiry, now)
    unexpired = or_(expires_at.is_(None), expiry > now)
    # The first half says nothing new, but the index is partial and must see it.
    unused = and_(timeout.is_not(None), is_past(inactivity, now))
    used = or_(timeout.is_(None), inactivity > now)
    conditions: dict[frozenset[str], list[ColumnElement[bool]]] = {
        frozenset(): [false()],
        frozenset({"live"}): [unexpired, used],
        frozenset({"expired"}): [expired],
        frozenset({"inactive"}): [unexpired, unused],
        frozenset({"live", "expired"}): [or_(expired, used)],
        frozenset({"live", "inactive"}): [unexpired],
        frozenset({"expired", "inactive"}): [or_(expired, unused)],
        ALL_STATES: [],
    }
    return conditions[state]
