"""What one SQL store does differently from another: each difference is one method of a flavour."""

from __future__ import annotations

from typing import Any, Protocol

from sqlalchemy import BindParameter, ColumnElement, LargeBinary, case, cast, func, literal_column
from sqlalchemy import select as sa_select
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Dialect

SPACE: ColumnElement[str] = literal_column("' '")
FRACTION: ColumnElement[float] = literal_column("0.5")


class Flavour(Protocol):
    """The differences that `statements.py` asks for."""

    @property
    def dialect(self) -> Dialect:
        """What compiles the statements, with the parameter style of the driver."""
        ...

    def later(self, one: ColumnElement[int], other: ColumnElement[int]) -> ColumnElement[int]:
        """The greater of two instants, neither of them NULL."""
        ...

    def has_scope(
        self, scopes: ColumnElement[str], scope: BindParameter[str]
    ) -> ColumnElement[bool]:
        """The scope is one of those that `rows.encode_scopes` wrote; exact, case included."""
        ...

    def is_kept(self, column: ColumnElement[bytes], keep: BindParameter[str]) -> ColumnElement[Any]:
        """The id is one of `keep`, one parameter however many there are."""
        ...

    def octets(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """The bytes of a column, whatever was put into it. Fetching them cannot fail."""
        ...

    def undecoded(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """A column such that fetching it cannot fail: text comes as its octets."""
        ...


class SQLiteFlavour:
    """SQLite, by way of the standard library's `sqlite3`."""

    dialect: Dialect = sqlite.dialect()

    def later(self, one: ColumnElement[int], other: ColumnElement[int]) -> ColumnElement[int]:
        return func.max(one, other)

    def has_scope(
        self, scopes: ColumnElement[str], scope: BindParameter[str]
    ) -> ColumnElement[bool]:
        # Not LIKE: it folds case, and % and _ are legal in a scope.
        return func.instr(scopes, SPACE.concat(scope).concat(SPACE)) > literal_column("0")

    def is_kept(self, column: ColumnElement[bytes], keep: BindParameter[str]) -> ColumnElement[Any]:
        """`keep` is a JSON list of ids in upper-case hexadecimal."""
        kept = func.json_each(keep).table_valued("value")
        return func.hex(column).in_(sa_select(kept.c.value))

    def octets(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        return cast(column, LargeBinary)

    def undecoded(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        # The driver decodes text while it fetches, and its error quotes the text.
        is_text = func.typeof(column) == literal_column("'text'")
        # Octets that stand where they should not would look like text, so they come as a
        # fraction, which no column may hold.
        is_blob = func.typeof(column) == literal_column("'blob'")
        return case((is_text, self.octets(column)), (is_blob, FRACTION), else_=column)
