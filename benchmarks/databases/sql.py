"""The raw statements of the SQL stores, and rows as their drivers take them."""

from __future__ import annotations

from typing import Any, NamedTuple

from coatcheck import Record
from coatcheck_backends.sql.rows import values_of

TABLE = "coatcheck_session"
FIELDS = (
    "user_id, method, scopes, metadata, created_at, last_used_at, expires_at, "
    "inactivity_timeout, key_hash, pepper_id"
)


class Statements(NamedTuple):
    """With a driver's own mark for a parameter."""

    select: str
    select_user: str
    insert: str
    delete: str
    delete_user: str
    purge: str


def statements(mark: str) -> Statements:
    """The least that does the work."""
    return Statements(
        select=f"SELECT {FIELDS} FROM {TABLE} WHERE id = {mark}",
        select_user=(
            f"SELECT id, {FIELDS} FROM {TABLE} WHERE user_id = {mark} ORDER BY id LIMIT 100"
        ),
        insert=f"INSERT INTO {TABLE} (id, {FIELDS}) VALUES ({', '.join([mark] * 11)})",
        delete=f"DELETE FROM {TABLE} WHERE id = {mark}",
        delete_user=f"DELETE FROM {TABLE} WHERE user_id = {mark}",
        purge=(
            f"DELETE FROM {TABLE} WHERE id IN "
            f"(SELECT id FROM {TABLE} WHERE expires_at <= {mark} LIMIT {mark})"
        ),
    )


def row_of(record: Record, key: Any) -> tuple[object, ...]:
    """The parameters of the INSERT."""
    return values_of(record, key)
