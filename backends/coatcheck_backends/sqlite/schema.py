"""Making a database file and its schema, and checking them at open."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

from coatcheck import BackendUnavailable, ConfigError, SchemaMissing

from ..sql.flavours import SQLiteFlavour
from ..sql.schema import check_revision, migrate
from ..sql.statements import stored_version
from .connections import connect
from .errors import translated
from .running import run_waiting

FLAVOUR = SQLiteFlavour()
VERSION = stored_version(FLAVOUR)


def check(connection: sqlite3.Connection) -> None:
    """Raises `SchemaMissing` or `SchemaTooNew` unless the file is as `make` left it.

    A file that is not in WAL mode counts as not prepared: the mode is a property of the file,
    and without it a reader would stop the writer and each would wait for the other.
    """
    if run_waiting(connection, "PRAGMA journal_mode").rows != [("wal",)]:
        raise SchemaMissing("sqlite: the database is not in WAL mode; run `coatcheck prepare`")
    check_version(connection)


def check_version(connection: sqlite3.Connection) -> None:
    """The same of the schema alone, in one statement."""
    check_revision(row[0] for row in run_waiting(connection, VERSION.sql).rows)


def make(path: str) -> None:
    """Make the file, or bring it up to date. Safe when many processes do it at once."""
    _make_file(path)
    try:
        with closing(connect(path)) as connection:
            _switch_to_wal(connection)
            make_schema(connection)
    except sqlite3.Error as error:
        raise translated(error, writing=False) from error


def make_schema(connection: sqlite3.Connection) -> None:
    """Run the migrations that are missing, all in one transaction of one process."""
    if not _has_newest(connection):
        _migrate(connection)


def _has_newest(connection: sqlite3.Connection) -> bool:
    try:
        check_version(connection)
    except SchemaMissing:
        return False
    except sqlite3.Error as error:
        if isinstance(translated(error, writing=False), SchemaMissing):
            return False
        raise
    return True


def _make_file(path: str) -> None:
    try:
        # Before SQLite sees it: opening and closing the file later would drop SQLite's locks.
        # It holds hashes and user ids, so it is nobody else's to read.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        pass
    except FileNotFoundError as error:
        raise ConfigError("sqlite: the directory of the database file does not exist") from error
    except OSError as error:
        raise BackendUnavailable("sqlite: the database file cannot be made") from error


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    if run_waiting(connection, "PRAGMA journal_mode").rows == [("wal",)]:
        return
    if run_waiting(connection, "PRAGMA journal_mode=WAL").rows != [("wal",)]:
        raise ConfigError("sqlite: the file system cannot hold a database in WAL mode")


def _migrate(connection: sqlite3.Connection) -> None:
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import StaticPool

    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    try:
        # SQLAlchemy rolls back whatever is there when it first connects: ours begins after.
        with engine.connect() as outer, outer.begin():
            # Of several processes all but one wait here, and then find the work done.
            run_waiting(connection, "BEGIN IMMEDIATE")
            if not _has_newest(connection):
                migrate(outer, FLAVOUR.sessions.names)
    except DBAPIError as error:
        if isinstance(error.orig, sqlite3.Error):
            raise error.orig from None
        raise
