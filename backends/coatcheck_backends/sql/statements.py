"""Statements, built and compiled once for each shape of filter: SQL text and parameter order.

Pure functions. A `Statement` runs on the driver's own connection, since SQLAlchemy's
execution costs more than the store itself, and its echo and its errors show parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from sqlalchemy import (
    BindParameter,
    ClauseElement,
    ColumnElement,
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

from coatcheck import Where

from .flavours import Flavour
from .tables import VERSION_TABLE, inactive_at, sessions

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import SQLCompiler

key = sessions.c.id
COLUMNS = [column for column in sessions.c if column is not key]
ZERO: ColumnElement[int] = literal_column("0")
"""Written out; also as OFFSET, which SQLAlchemy would else add for SQLite as a parameter."""
EMPTY: ColumnElement[str] = literal_column("''")
ALL_STATES = frozenset({"live", "expired", "inactive"})


class Statement(NamedTuple):
    """SQL text, and the names of its parameters in the order of their places."""

    sql: str
    names: tuple[str, ...]

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


VERSION = Statement(f"SELECT version_num FROM {VERSION_TABLE}", ())  # noqa: S608 - a constant


@cache
def insert_session(flavour: Flavour) -> Statement:
    """A plain INSERT, so that a second one of the same id fails."""
    return _compiled(flavour, insert(sessions).values({c.name: _of(c.name) for c in sessions.c}))


@cache
def load_session(flavour: Flavour, *, undecoded: bool = False) -> Statement:
    """The columns after the id, for `id`."""
    return _compiled(flavour, select(*_columns(flavour, undecoded)).where(key == _of("id")))


@cache
def touch_session(flavour: Flavour) -> Statement:
    """Raises `last_used_at` to `now`; a row that is absent or not live is not counted."""
    now: BindParameter[int] = _of("now")
    live = _in_states(frozenset({"live"}), by_index=False)
    later = flavour.later(sessions.c.last_used_at, now)
    return _compiled(
        flavour, update(sessions).values(last_used_at=later).where(key == _of("id"), *live)
    )


@cache
def replace_key_hash(flavour: Flavour) -> Statement:
    """Hash and pepper together, guarded by the old hash."""
    new = {"key_hash": _of("new_key_hash"), "pepper_id": _of("new_pepper_id")}
    guard = (key == _of("id"), sessions.c.key_hash == _of("old_key_hash"))
    return _compiled(flavour, update(sessions).values(new).where(*guard))


@cache
def update_session(flavour: Flavour, shape: Shape, changed: frozenset[str]) -> Statement:
    """The named fields of `id`, if it matches; gives the columns after the id."""
    guard = (key == _of("id"), *_condition(flavour, shape))
    statement = update(sessions).values(_new(changed)).where(*guard)
    return _compiled(flavour, statement.returning(*COLUMNS))


@cache
def delete_session(flavour: Flavour, shape: Shape) -> Statement:
    """`id`, if it matches; gives user and method as bytes, so that any row can go."""
    guard = (key == _of("id"), *_condition(flavour, shape))
    return _compiled(flavour, delete(sessions).where(*guard).returning(*_reference(flavour)))


@cache
def find_sessions(
    flavour: Flavour, shape: Shape, *, paged: bool, undecoded: bool = False
) -> Statement:
    """At most `limit` rows with their id, in its order, above `after` if `paged`."""
    conditions = _condition(flavour, shape, by_index=False)
    if paged:
        conditions.append(key > _of("after"))
    statement = select(key, *_columns(flavour, undecoded)).where(*conditions)
    return _compiled(flavour, statement.order_by(key).limit(_of("limit")).offset(ZERO))


@cache
def count_sessions(flavour: Flavour, shape: Shape) -> Statement:
    """How many match."""
    statement = select(func.count()).select_from(sessions)
    return _compiled(flavour, statement.where(*_condition(flavour, shape)))


@cache
def update_sessions(flavour: Flavour, shape: Shape, changed: frozenset[str]) -> Statement:
    """The named fields of all that match."""
    statement = update(sessions).values(_new(changed))
    return _compiled(flavour, statement.where(*_condition(flavour, shape)))


@cache
def delete_sessions(flavour: Flavour, shape: Shape, *, keeping: bool) -> Statement:
    """All that match, but those of `keep`; gives id, user and method."""
    conditions = _condition(flavour, shape)
    if keeping:
        conditions.append(~flavour.is_kept(key, _of("keep")))
    return _compiled(
        flavour, delete(sessions).where(*conditions).returning(key, *_reference(flavour))
    )


@cache
def purge_sessions(flavour: Flavour, shape: Shape) -> Statement:
    """At most `limit` that match."""
    doomed = select(key).where(*_condition(flavour, shape)).limit(_of("limit")).offset(ZERO)
    return _compiled(flavour, delete(sessions).where(key.in_(doomed.scalar_subquery())))


@cache
def pepper_counts(flavour: Flavour) -> Statement:
    """Sessions under each pepper."""
    pepper_id = sessions.c.pepper_id
    statement = select(flavour.octets(pepper_id), func.count())
    return _compiled(flavour, statement.group_by(pepper_id))


def _of(name: str) -> BindParameter[Any]:
    return bindparam(name)


def _compiled(flavour: Flavour, statement: ClauseElement) -> Statement:
    compiled = cast("SQLCompiler", statement.compile(dialect=flavour.dialect))
    return Statement(compiled.string, tuple(compiled.positiontup or ()))


def _columns(flavour: Flavour, undecoded: bool) -> list[ColumnElement[Any]]:
    return [flavour.undecoded(column) if undecoded else column for column in COLUMNS]


def _reference(flavour: Flavour) -> list[ColumnElement[Any]]:
    return [flavour.octets(sessions.c.user_id), flavour.octets(sessions.c.method)]


def _new(changed: frozenset[str]) -> dict[str, ColumnElement[Any]]:
    # Without a column SQLAlchemy would set them all, and the guard must be asked either way.
    return {name: _of(f"new_{name}") for name in sorted(changed)} or {"id": key}


def _condition(
    flavour: Flavour, shape: Shape, *, by_index: bool = True
) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if shape.user_id:
        conditions.append(sessions.c.user_id == _of("where_user_id"))
    if shape.method:
        conditions.append(sessions.c.method == _of("where_method"))
    if shape.scope:
        conditions.append(flavour.has_scope(sessions.c.scopes, _of("where_scope")))
    if shape.pepper_id:
        pepper_id: ColumnElement[str] = sessions.c.pepper_id
        if shape.user_id:
            # Off its index, as in `_in_states`: few sessions are one user's.
            pepper_id = pepper_id.concat(EMPTY)
        conditions.append(pepper_id == _of("where_pepper_id"))
    if shape.state is not None:
        by_index = by_index and not (shape.user_id or shape.pepper_id)
        conditions += _in_states(shape.state, by_index=by_index)
    return conditions


def _in_states(state: frozenset[str], *, by_index: bool) -> list[ColumnElement[bool]]:
    """The conditions, all to be met, that a session is in one of some states at `now`.

    Adding 0 keeps the planner off the indexes of the two ends where another index, or the
    primary key in its order, serves better: one user's sessions, and pages that stop early.
    """
    expires_at, timeout = sessions.c.expires_at, sessions.c.inactivity_timeout
    expiry = expires_at if by_index else expires_at + ZERO
    inactivity = inactive_at if by_index else inactive_at + ZERO
    now: BindParameter[int] = _of("now")
    expired = expiry <= now
    unexpired = or_(expires_at.is_(None), expiry > now)
    # The first half says nothing new, but the index is partial and must see it.
    unused = and_(timeout.is_not(None), inactivity <= now)
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
