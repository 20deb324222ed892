"""The storage hooks as operations: a statement, its values, and how its result is read.

Pure functions, the same for every SQL store and for both faces of one. Where and how an
operation runs is the matter of each store.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from coatcheck import Changes, Record, SessionRef, Where

from . import rows, statements
from .flavours import Flavour
from .statements import Statement, shape_of, values_of_where

T = TypeVar("T")


class Result(NamedTuple):
    """What a statement gave: its rows, and how many rows it changed."""

    rows: list[Any]
    changed: int


class Kind(Enum):
    """What a store must know of an operation to run it."""

    READ = "reads one session"
    SCAN = "may read the whole table"
    WRITE = "changes one session, and must survive a crash"
    TOUCH = "changes one session, and may be lost in a crash"
    BULK = "changes any number of sessions"

    @property
    def writes(self) -> bool:
        """Whether its outcome may be unknown."""
        return self not in (Kind.READ, Kind.SCAN)


class Operation(NamedTuple, Generic[T]):
    """One statement to run."""

    kind: Kind
    statement: Statement
    values: dict[str, object]
    read: Callable[[Result], T]

    def parameters(self) -> tuple[object, ...]:
        """The values, by place."""
        return self.statement.bind(self.values)


def version(flavour: Flavour) -> Operation[list[object]]:
    """The revisions that the version table names: one, if all is well."""
    return Operation(Kind.READ, statements.stored_version(flavour), {}, _first_column)


def insert(flavour: Flavour, record: Record) -> Operation[None]:
    fields = rows.values_of(record, flavour.id_value(record.id))
    values = dict(zip(Record._fields, fields, strict=True))
    return Operation(Kind.WRITE, statements.insert_session(flavour), values, _nothing)


def load(
    flavour: Flavour, session_id: UUID, *, undecoded: bool = False
) -> Operation[Record | None]:
    read_row = rows.record_from_bytes if undecoded else rows.record_from

    def read(result: Result) -> Record | None:
        return read_row(session_id, result.rows[0]) if result.rows else None

    statement = statements.load_session(flavour, undecoded=undecoded)
    return Operation(Kind.READ, statement, {"id": flavour.id_value(session_id)}, read)


def touch(flavour: Flavour, session_id: UUID, now: int) -> Operation[bool]:
    # It may be lost in a crash: that can only shorten a session's life.
    values = {"id": flavour.id_value(session_id), "now": now}
    return Operation(Kind.TOUCH, statements.touch_session(flavour), values, _is_changed)


def replace_key_hash(
    flavour: Flavour, session_id: UUID, old: str, new: str, pepper_id: str
) -> Operation[bool]:
    values: dict[str, object] = {
        "id": flavour.id_value(session_id),
        "old_key_hash": old,
        "new_key_hash": new,
        "new_pepper_id": pepper_id,
    }
    return Operation(Kind.WRITE, statements.replace_key_hash(flavour), values, _is_changed)


def update(
    flavour: Flavour, session_id: UUID, changes: Changes, where: Where
) -> Operation[Record | None]:
    values = values_of_where(where) | rows.values_of_changes(changes)
    values["id"] = flavour.id_value(session_id)

    def read(result: Result) -> Record | None:
        return rows.record_from(session_id, result.rows[0]) if result.rows else None

    statement = statements.update_session(flavour, shape_of(where), frozenset(changes))
    return Operation(Kind.WRITE, statement, values, read)


def delete(flavour: Flavour, session_id: UUID, where: Where) -> Operation[SessionRef | None]:
    def read(result: Result) -> SessionRef | None:
        return _reference(session_id, *result.rows[0]) if result.rows else None

    values = values_of_where(where) | {"id": flavour.id_value(session_id)}
    statement = statements.delete_session(flavour, shape_of(where))
    return Operation(Kind.WRITE, statement, values, read)


def find(
    flavour: Flavour, where: Where, after: UUID | None, limit: int, *, undecoded: bool = False
) -> Operation[list[Record]]:
    read_row = rows.record_from_bytes if undecoded else rows.record_from
    values = values_of_where(where) | {"limit": limit}
    if after is not None:
        values["after"] = flavour.id_value(after)

    def read(result: Result) -> list[Record]:
        return [read_row(rows.id_from(row[0]), row[1:]) for row in result.rows]

    statement = statements.find_sessions(
        flavour, shape_of(where), paged=after is not None, undecoded=undecoded
    )
    return Operation(Kind.SCAN, statement, values, read)


def count(flavour: Flavour, where: Where) -> Operation[int]:
    statement = statements.count_sessions(flavour, shape_of(where))
    return Operation(Kind.SCAN, statement, values_of_where(where), _number)


def update_where(flavour: Flavour, where: Where, changes: Changes) -> Operation[int]:
    values = values_of_where(where) | rows.values_of_changes(changes)
    statement = statements.update_sessions(flavour, shape_of(where), frozenset(changes))
    return Operation(Kind.BULK, statement, values, _changed)


def delete_where(
    flavour: Flavour, where: Where, keep: frozenset[UUID]
) -> Operation[list[SessionRef]]:
    values = values_of_where(where) | {"keep": flavour.ids_value(keep)}

    def read(result: Result) -> list[SessionRef]:
        # A row whose id is no id went as well, but there is no way to name it.
        return [
            _reference(rows.id_from(session_id), user_id, method)
            for session_id, user_id, method in result.rows
            if rows.is_id(session_id)
        ]

    statement = statements.delete_sessions(flavour, shape_of(where), keeping=bool(keep))
    return Operation(Kind.BULK, statement, values, read)


def purge(flavour: Flavour, where: Where, limit: int) -> Operation[int]:
    values = values_of_where(where) | {"limit": limit}
    statement = statements.purge_sessions(flavour, shape_of(where))
    return Operation(Kind.BULK, statement, values, _changed)


def pepper_counts(flavour: Flavour) -> Operation[dict[str, int]]:
    return Operation(Kind.SCAN, statements.pepper_counts(flavour), {}, _numbers_by_text)


def _nothing(_: Result) -> None:
    return None


def _is_changed(result: Result) -> bool:
    return result.changed == 1


def _first_column(result: Result) -> list[object]:
    return [row[0] for row in result.rows]


def _number(result: Result) -> int:
    return int(result.rows[0][0])


def _numbers_by_text(result: Result) -> dict[str, int]:
    return {_text(text): number for text, number in result.rows}


def _changed(result: Result) -> int:
    return result.changed


def _reference(session_id: UUID, user_id: object, method: object) -> SessionRef:
    return SessionRef(session_id, _text(user_id), _text(method))


def _text(value: object) -> str:
    """Text, which may come as bytes. Never fails: what names a row is not worth keeping it."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, str) else ""
