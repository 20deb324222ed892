"""The connections to one database file: idle ones for readers, and one for the writer.

A reader takes a connection from a list and gives it back, each one step of the
interpreter. Every use first looks whether the file is still the one that was opened:
SQLite reads and writes a deleted file without a word, and a revocation in it is lost.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from os import stat
from time import monotonic, sleep
from urllib.parse import quote

from coatcheck import BackendUnavailable, OutcomeUnknown, SchemaMissing, remaining

from ..sql.operations import Result
from . import forks
from .errors import FAILURES, is_harmless, translated
from .running import Parameters, Row, Run, acquire, run_bounded, run_waiting

Check = Callable[[sqlite3.Connection], None]


class Connection(sqlite3.Connection):
    """A driver's connection that knows which incarnation of the file it belongs to."""

    opened: Opened
    synchronous: str | None = None
    reader: sqlite3.Cursor
    """Used again and again, since making one takes as long as binding a statement to it."""


class Opened:
    """One incarnation of the database file, by its inode, and the connections to it."""

    __slots__ = ("connections", "device", "idle", "inode", "room")

    def __init__(self, status: os.stat_result | None, room: int) -> None:
        self.device = -1 if status is None else status.st_dev
        self.inode = -1 if status is None else status.st_ino
        self.room = room
        self.idle: list[Connection] = []
        self.connections: set[Connection] = set()

    def give_back(self, connection: Connection) -> None:
        """A reader is done."""
        if len(self.idle) < self.room:
            self.idle.append(connection)
            if not self.room:  # retired in between
                self.retire()
        else:
            self.discard(connection)

    def discard(self, connection: Connection) -> None:
        """Close a connection. Counted until it is closed: a child that is forked while SQLite
        is at work in another thread inherits a lock that nobody will release."""
        try:
            connection.close()
        finally:
            self.connections.discard(connection)

    def retire(self) -> None:
        """Keep no connection any more. Those in use are closed when they are given back."""
        self.room = 0
        while self.idle:
            try:
                self.discard(self.idle.pop())
            except IndexError:
                return


NOWHERE = Opened(None, 0)
"""Nothing is open. No file has this inode, so that the next look leads to `_connect`."""


def connect(path: str) -> Connection:
    """A connection to an existing file. It never waits for a lock unless told to, and it
    leaves transactions to us. Nothing but `prepare` ever makes a file."""
    return sqlite3.connect(
        f"file:{quote(os.fsencode(path))}?mode=rw",
        uri=True,
        timeout=0,
        isolation_level=None,
        check_same_thread=False,
        factory=Connection,
    )


class FileStore:
    """Runs statements on a database file, from any thread, and from forked children.

    :param check: raises if a file that was newly opened has not the right schema.
    :param room: how many idle connections are kept for readers.
    :param synchronous: of SQLite's levels, that of writes which must survive a crash.
    """

    def __init__(self, path: str, check: Check, *, room: int, synchronous: str) -> None:
        self.path = path
        self._check = check
        self._room = room
        self._lasting = synchronous.upper()
        self._closed = False
        self._begin()
        forks.register(self)

    def _begin(self) -> None:
        self._opened = self._left = NOWHERE
        self._writer: Connection | None = None
        self._writing = threading.Lock()
        # Taken to make a connection, so that none comes into being while the process forks.
        self._gate = threading.Lock()

    def open(self, make: Callable[[str], None] | None) -> None:
        """See to it that the file is open and has the right schema.

        :param make: makes the file and the schema; `None` if they may not be made.
        """
        if make is not None:
            acquire(self._gate)
            try:
                make(self.path)
            finally:
                self._gate.release()
        elif not os.path.exists(self.path):
            raise SchemaMissing("sqlite: there is no database file; run `coatcheck prepare`")
        connection = self._take()
        connection.opened.give_back(connection)

    def close(self) -> None:
        """Close all connections; one that is in use, when its statement ends."""
        self._closed = True
        opened, self._opened = self._opened, NOWHERE
        opened.retire()
        if self._writing.acquire(timeout=remaining()):
            try:
                self._drop_writer()
            finally:
                self._writing.release()

    def read(self, sql: str, parameters: Parameters) -> list[Row]:
        """Run a short SELECT. On the path of every validation: the look at the file
        costs 2 µs, taking and giving back a connection 0.5, the statement itself 10."""
        connection = self._take()
        opened = connection.opened
        try:
            rows = connection.reader.execute(sql, parameters).fetchall()
        except FAILURES as error:
            harmless = is_harmless(error)
        except BaseException:
            opened.discard(connection)
            raise
        else:
            opened.give_back(connection)
            return rows
        if not harmless:
            # A connection that died while it lay idle must not fail a read.
            connection.opened.discard(connection)
            connection = self._connect()
        return self._reading(run_waiting, connection, sql, parameters)

    def scan(self, sql: str, parameters: Parameters) -> list[Row]:
        """Run a SELECT that may read the whole table."""
        return self._reading(run_bounded, self._take(), sql, parameters)

    def write(self, sql: str, parameters: Parameters, *, lasting: bool = True) -> Result:
        """Run one statement that changes one session.

        :param lasting: it survives a crash once this has returned; and with it whatever was
            written before without, since the WAL is one file and is synced whole.
        """
        return self._writing_one(run_waiting, sql, parameters, lasting=lasting)

    def write_many(self, sql: str, parameters: Parameters) -> Result:
        """Run one statement that may read or change the whole table."""
        return self._writing_one(run_bounded, sql, parameters, lasting=True)

    def _reading(
        self, runner: Run, connection: Connection, sql: str, parameters: Parameters
    ) -> list[Row]:
        try:
            rows = runner(connection, sql, parameters).rows
        except FAILURES as error:
            failure = translated(error, writing=False)
            harmless = is_harmless(error)
        except BaseException:
            connection.opened.discard(connection)
            raise
        else:
            connection.opened.give_back(connection)
            return rows
        if harmless:
            connection.opened.give_back(connection)
        else:
            connection.opened.discard(connection)
        raise failure

    def _writing_one(
        self, runner: Run, sql: str, parameters: Parameters, *, lasting: bool
    ) -> Result:
        acquire(self._writing)
        try:
            writer = self._ready_writer(self._lasting if lasting else "NORMAL")
            try:
                result = runner(writer, sql, parameters)
            except FAILURES as error:
                failure = translated(error, writing=True)
                if not is_harmless(error):
                    self._drop_writer()
            else:
                if self._is_current(writer.opened):
                    return result
                failure = OutcomeUnknown("sqlite: the database file was taken away meanwhile")
            raise failure
        finally:
            self._writing.release()

    def _take(self) -> Connection:
        opened = self._opened
        try:
            status = stat(self.path)
            if status.st_ino == opened.inode and status.st_dev == opened.device:
                return opened.idle.pop()
        except IndexError:
            pass
        except OSError as error:
            raise BackendUnavailable("sqlite: the database file is not there") from error
        return self._connect()

    def _connect(self) -> Connection:
        """A new connection to the file that is there now; a file that is new is checked first."""
        acquire(self._gate)
        try:
            if self._closed:
                raise BackendUnavailable("sqlite: the backend is closed")
            if self._is_current(self._opened):
                return self._connect_to(self._opened)
            self._opened.retire()
            self._opened = NOWHERE
            connection = self._connect_to(Opened(stat(self.path), self._room))
            try:
                self._check(connection)
            except BaseException:
                connection.opened.discard(connection)
                raise
            self._opened = connection.opened
        except OSError as error:
            raise BackendUnavailable("sqlite: the database file is not there") from error
        except sqlite3.Error as error:
            raise translated(error, writing=False) from error
        else:
            return connection
        finally:
            self._gate.release()

    def _connect_to(self, opened: Opened) -> Connection:
        connection = connect(self.path)
        connection.opened, connection.reader = opened, connection.cursor()
        opened.connections.add(connection)
        if not self._is_current(opened):
            opened.discard(connection)
            raise BackendUnavailable("sqlite: the database file was replaced just now")
        return connection

    def _ready_writer(self, synchronous: str) -> Connection:
        writer = self._writer
        if writer is None or not writer.opened.room or not self._is_current(writer.opened):
            self._drop_writer()
            writer = self._writer = self._connect()
        if writer.synchronous != synchronous:
            writer.execute(f"PRAGMA synchronous={synchronous}")
            writer.synchronous = synchronous
        return writer

    def _drop_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.opened.discard(writer)

    def _is_current(self, opened: Opened) -> bool:
        try:
            status = stat(self.path)
        except OSError:
            return False
        return status.st_ino == opened.inode and status.st_dev == opened.device

    def pause(self, deadline: float) -> list[threading.Lock]:
        """Before a fork: close all connections, and wait for those in use until `deadline`."""
        held = [
            lock
            for lock in (self._writing, self._gate)
            if lock.acquire(timeout=max(0.0, deadline - monotonic()))
        ]
        self._left, self._opened = self._opened, NOWHERE
        self._left.retire()
        if self._writing in held:
            self._drop_writer()
        while self._left.connections and monotonic() < deadline:
            sleep(0.001)
        return held

    def renew(self) -> None:
        """In the child of a fork: begin anew."""
        for opened in (self._opened, self._left):
            forks.bury(opened.connections)
        self._begin()
