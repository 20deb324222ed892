"""One connection by way of psycopg, and how it is made."""

from __future__ import annotations

import select
from math import ceil
from time import monotonic
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from coatcheck import remaining

from .._forks import leave_socket
from ..sql.operations import Result
from .errors import Expired
from .greeting import GREETING, Greeted, greeted, prepares
from .location import Location
from .waiting import Connection

FAILURES: tuple[type[Exception], ...] = (psycopg.Error, Expired)


def connect(location: Location, seconds: float) -> Link:
    """A connection that has been greeted. Raises psycopg's errors, and ours for a server that
    will not do."""
    arguments: dict[str, Any] = dict(location.arguments.reveal())
    # psycopg takes whole seconds, two at least; whoever waits for this waits for less.
    arguments["connect_timeout"] = max(2, ceil(seconds))
    connection = Connection.connect(**arguments, autocommit=True, prepare_threshold=None)
    try:
        connection.end = monotonic() + seconds
        answer = connection.execute(GREETING).fetchone()
        greeting = greeted(answer or (), connection.info.backend_pid, location)
    except BaseException:
        connection.pgconn.finish()
        raise
    return Link(connection, greeting, prepares(location, pooled=greeting.pooled))


class Readable:
    """Whether a socket has anything to say. An idle one has not, unless it was closed by the
    other side, or has news that are not worth to be told apart from that."""

    __slots__ = ("_poll",)

    def __init__(self, descriptor: int) -> None:
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)

    def now(self) -> bool:
        """At this moment."""
        return bool(self._poll.poll(0))


class Link:
    """A driver's connection with one cursor, used again and again."""

    __slots__ = ("_cursor", "_prepares", "_readable", "_used", "connection", "greeting")

    def __init__(self, connection: Connection, greeting: Greeted, prepares: bool) -> None:
        self.connection = connection
        self.greeting = greeting
        self._prepares = prepares
        self._cursor = psycopg.RawCursor(connection)
        self._readable = Readable(connection.fileno())
        self._used = monotonic()

    def run(self, sql: str, parameters: tuple[object, ...]) -> Result:
        """Run one statement, which is a transaction of its own. Raises psycopg's errors, and
        `Expired` at the deadline."""
        self.connection.end = monotonic() + remaining()
        cursor = self._cursor
        cursor.execute(sql, parameters, prepare=self._prepares, binary=True)
        rows = [] if cursor.rownumber is None else cursor.fetchall()
        self._used = monotonic()
        return Result(rows, cursor.rowcount)

    def begin_migration(self) -> None:
        """Have it used by SQLAlchemy, in a transaction, and no longer than the call may take."""
        self.connection.autocommit = False
        self.connection.end = monotonic() + remaining()

    def is_usable(self, idle: float) -> bool:
        """It was used in the last `idle` seconds, and nothing came from the server since."""
        return monotonic() - self._used < idle and not self._readable.now()

    def is_whole(self) -> bool:
        """After an error: it can go on as if nothing had been."""
        connection = self.connection
        return (
            not connection.closed and connection.pgconn.transaction_status == TransactionStatus.IDLE
        )

    def discard(self) -> None:
        """Close it at once."""
        self.connection.pgconn.finish()

    def abandon(self) -> None:
        """In a forked child: close the child's copy of the socket, and tell the server nothing."""
        leave_socket(self.connection.fileno())
