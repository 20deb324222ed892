"""Statements over a connection of psycopg's, by libpq's own calls (`psycopg.pq`).

A cursor of psycopg's looks at the statement, at the types of the parameters and at the rows
anew each time, which costs as much as the statement takes the server. Ours are a few dozen
texts that never change, of a handful of types. And since the waiting is ours, it ends at the
deadline: psycopg waits for a frozen server for ever, and first asks it to cancel.

Nothing in here waits. Who does sends, waits until the socket can be read, and calls `received`
until there is a result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult

from ..sql.operations import Result

T = TypeVar("T")

TEXT, BINARY = 0, 1
_INT8, _INT4 = Struct("!q"), Struct("!i")

Sent = tuple[bytes | None, int]
"""A parameter as it is sent, and its format."""


def _array(ids: Sequence[UUID]) -> Sent:
    return f"{{{','.join(map(str, ids))}}}".encode(), TEXT


_ENCODERS: dict[type, Callable[[Any], Sent]] = {
    UUID: lambda value: (value.bytes, BINARY),
    int: lambda value: (_INT8.pack(value), BINARY),
    str: lambda value: (value.encode(), TEXT),
    type(None): lambda _: (None, TEXT),
    list: _array,
}
"""The server knows the types of the parameters from the statement: all numbers are bigint."""

_DECODERS: dict[int, Callable[[bytes], Any]] = {
    16: lambda octets: octets != b"\0",  # boolean
    20: lambda octets: _INT8.unpack(octets)[0],  # bigint
    23: lambda octets: _INT4.unpack(octets)[0],  # integer
    25: bytes.decode,  # text
    1043: bytes.decode,  # character varying
    2950: lambda octets: UUID(bytes=octets),  # uuid
}
"""By the number that each type has in every PostgreSQL. Any other stays as it came, and the core
refuses it in a column of ours."""


class Wire:
    """One connection, and the statements that were prepared on it.

    :param prepares: false behind a pooler, where they would be lost or mixed up.
    """

    __slots__ = ("_decoders", "_names", "pgconn", "prepares")

    def __init__(self, pgconn: PGconn) -> None:
        self.pgconn = pgconn
        self.prepares = False
        self._names: dict[str, bytes] = {}
        self._decoders: dict[str, list[Callable[[bytes], Any]]] = {}

    def needs_preparing(self, sql: str) -> bool:
        """Whether `prepare` must be sent, and its result received, first."""
        return self.prepares and sql not in self._names

    def prepare(self, sql: str) -> None:
        """Have the server parse a statement for later."""
        name = f"coatcheck_{len(self._names)}".encode()
        self.pgconn.send_prepare(name, sql.encode())
        self._names[sql] = name

    def execute(self, sql: str, parameters: tuple[object, ...]) -> None:
        """Send a statement with its parameters."""
        sent = [_ENCODERS[type(value)](value) for value in parameters]
        values, formats = [value for value, _ in sent], [format_ for _, format_ in sent]
        name = self._names.get(sql)
        if name is not None:
            self.pgconn.send_query_prepared(name, values, formats, BINARY)
        else:
            self.pgconn.send_query_params(
                sql.encode(), values, param_formats=formats, result_format=BINARY
            )

    def is_sent(self) -> bool:
        """Whether all was written to the socket."""
        return self.pgconn.flush() == 0

    def received(self) -> PGresult | None:
        """Read what there is; the result, once it is there as a whole. Raises psycopg's errors,
        without the details that the server adds, which may quote a row."""
        pgconn = self.pgconn
        pgconn.consume_input()
        if pgconn.is_busy():
            return None
        result = pgconn.get_result()
        if result is None:
            raise psycopg.OperationalError("the connection was lost")
        # There is nothing after it but the end of the statement, sent in one with it.
        while (more := pgconn.get_result()) is not None:
            result = more
        if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            raise _error(result)
        return result

    def result(self, sql: str, result: PGresult) -> Result:
        """The rows, as Python's values, and how many were changed."""
        columns = range(result.nfields)
        decoders = self._decoders.get(sql)
        if decoders is None:
            decoders = self._decoders[sql] = [
                _DECODERS.get(result.ftype(n), bytes) for n in columns
            ]
        get_value = result.get_value
        rows = [
            tuple(
                [
                    None if (octets := get_value(row, n)) is None else decode(octets)
                    for n, decode in enumerate(decoders)
                ]
            )
            for row in range(result.ntuples)
        ]
        return Result(rows, result.command_tuples or 0)

    def is_whole(self) -> bool:
        """After an error: it can go on as if nothing had been."""
        return (
            self.pgconn.status == ConnStatus.OK
            and self.pgconn.transaction_status == TransactionStatus.IDLE
        )


def _error(result: PGresult) -> psycopg.Error:
    state = (result.error_field(DiagnosticField.SQLSTATE) or b"").decode()
    message = (result.error_field(DiagnosticField.MESSAGE_PRIMARY) or b"").decode(errors="replace")
    try:
        kind = psycopg.errors.lookup(state)
    except KeyError:
        kind = psycopg.DatabaseError
    error = kind(message)
    if error.sqlstate != state:
        error.sqlstate = state
    return error
