"""One connection of a synchronous backend, and how it is made."""

from __future__ import annotations

import select
from math import ceil
from time import monotonic
from typing import Any

import psycopg

from coatcheck import remaining

from .._forks import leave_socket
from ..sql.operations import Result
from .errors import Expired
from .greeting import GREETING, Greeted, greeted, prepares
from .location import Location
from .wire import Wire

FAILURES: tuple[type[Exception], ...] = (psycopg.Error, Expired)
"""All that `Link.run` raises."""


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """Of psycopg, which would warn of those that a forked child left alone."""

    def __del__(self, *_: Any) -> None:
        """Nothing: libpq's part of it closes itself, in the process that opened it."""


def connect(location: Location, seconds: float) -> Link:
    """A connection that has been greeted. Raises psycopg's errors, and ours for a server that
    will not do."""
    arguments: dict[str, Any] = dict(location.arguments.reveal())
    # psycopg takes whole seconds, two at least; whoever waits for this waits for less.
    arguments["connect_timeout"] = max(2, ceil(seconds))
    link = Link(Connection.connect(**arguments, autocommit=True))
    try:
        [answer] = link.run_until(monotonic() + seconds, GREETING, ()).rows
        link.greeting = greeted(answer, link.connection.info.backend_pid, location)
    except BaseException:
        link.discard()
        raise
    link.wire.prepares = prepares(location, pooled=link.greeting.pooled)
    return link


class Link:
    """A connection. Nobody else uses it, and nothing but `run` sends anything."""

    __slots__ = ("_poll", "_used", "connection", "greeting", "patience", "wire")

    greeting: Greeted

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.patience: int | None = None
        self.wire = Wire(connection.pgconn)
        self._poll = select.poll()
        self._poll.register(connection.fileno(), select.POLLIN)
        self._used = monotonic()

    def run(self, sql: str, parameters: tuple[object, ...]) -> Result:
        """Run one statement, which is a transaction of its own. Raises psycopg's errors, and
        `Expired` at the deadline."""
        return self.run_until(monotonic() + remaining(), sql, parameters)

    def run_until(self, end: float, sql: str, parameters: tuple[object, ...]) -> Result:
        """The same, with the deadline by the monotonic clock."""
        wire = self.wire
        if wire.needs_preparing(sql):
            wire.prepare(sql)
            self._answer(end)
        wire.execute(sql, parameters)
        result = wire.result(sql, self._answer(end))
        self._used = monotonic()
        return result

    def _answer(self, end: float) -> Any:
        wire = self.wire
        if not wire.is_sent():
            self._send_rest(end)
        while True:
            left = end - monotonic()
            if left <= 0.0 or not self._poll.poll(ceil(left * 1000)):
                raise Expired
            answer = wire.received()
            if answer is not None:
                return answer

    def _send_rest(self, end: float) -> None:
        """More than the socket took at once. Reading meanwhile, since the server may not take
        more before it is rid of what it has to say."""
        descriptor = self.connection.fileno()
        self._poll.modify(descriptor, select.POLLIN | select.POLLOUT)
        try:
            while not self.wire.is_sent():
                left = end - monotonic()
                if left <= 0.0 or not self._poll.poll(ceil(left * 1000)):
                    raise Expired
                self.wire.pgconn.consume_input()
        finally:
            self._poll.modify(descriptor, select.POLLIN)

    def is_usable(self, idle: float) -> bool:
        """It was used in the last `idle` seconds, and nothing came from the server since: that
        can be its end, or news that are not worth to be told apart from that."""
        return monotonic() - self._used < idle and not self._poll.poll(0)

    def discard(self) -> None:
        """Close it at once."""
        self.connection.pgconn.finish()

    def abandon(self) -> None:
        """In a forked child: close the child's copy of the socket, and tell the server nothing."""
        leave_socket(self.connection.fileno())
