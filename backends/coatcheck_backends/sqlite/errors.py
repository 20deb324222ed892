"""The one place where errors of `sqlite3` become errors of coatcheck.

No message holds SQL, a parameter or a value. SQLite's own message holds none
either and stays as the cause, with one exception, `Undecodable`.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from coatcheck import (
    BackendError,
    BackendUnavailable,
    DuplicateSession,
    OutcomeUnknown,
    SchemaMissing,
)

# An I/O error while reading or locking comes before a commit; of any other one nobody knows
# whether the commit record reached the disk and will be found after a crash.
_BEFORE_COMMIT: Final = frozenset(
    {
        sqlite3.SQLITE_IOERR_READ,
        sqlite3.SQLITE_IOERR_SHORT_READ,
        sqlite3.SQLITE_IOERR_ACCESS,
        sqlite3.SQLITE_IOERR_CHECKRESERVEDLOCK,
        sqlite3.SQLITE_IOERR_FSTAT,
        sqlite3.SQLITE_IOERR_LOCK,
        sqlite3.SQLITE_IOERR_RDLOCK,
        sqlite3.SQLITE_IOERR_SHMLOCK,
        sqlite3.SQLITE_IOERR_SHMMAP,
        sqlite3.SQLITE_IOERR_SHMOPEN,
        sqlite3.SQLITE_IOERR_SHMSIZE,
    }
)

_UNAVAILABLE: Final = {
    sqlite3.SQLITE_BUSY: "the database was locked until the deadline",
    sqlite3.SQLITE_LOCKED: "the database was locked until the deadline",
    sqlite3.SQLITE_INTERRUPT: "the statement did not end before the deadline",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk or the file system failed",
    sqlite3.SQLITE_CANTOPEN: "the database file cannot be opened",
    sqlite3.SQLITE_READONLY: "the database cannot be written",
    sqlite3.SQLITE_NOTADB: "the file is not a SQLite database",
    sqlite3.SQLITE_CORRUPT: "the database file is damaged",
    sqlite3.SQLITE_PERM: "access to the database was denied",
    sqlite3.SQLITE_PROTOCOL: "the database was locked until the deadline",
}

# After these the connection is as good as before; after any other it is thrown away. On a full
# disk it must be kept, because there is no room to open another one.
_HARMLESS: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_TOOBIG,
    }
)


FAILURES: Final = (sqlite3.Error, OverflowError, UnicodeError)
"""All that `sqlite3` raises while it binds, runs or fetches."""


class Undecodable(Exception):  # noqa: N818 - caught by the backend, never seen outside
    """A text column that is not UTF-8. Without the driver's error, which quotes the text."""


def code_of(error: BaseException) -> int:
    """SQLite's primary result code; 0 for an error of the Python module itself."""
    return _extended(error) & 0xFF


def is_busy(error: BaseException) -> bool:
    """Someone else holds a lock, and waiting may help."""
    return code_of(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)


def is_harmless(error: BaseException) -> bool:
    """The connection can be used again."""
    code = code_of(error)
    return code in _HARMLESS or (not code and not _is_lost(error))


def translated(error: Exception, *, writing: bool) -> Exception:
    """What to raise instead, with its cause set. To be raised outside of the `except` block,
    or `Undecodable` would drag the driver's error along as its context.

    :param writing: the statement changes something, so that its outcome may be unknown.
    """
    own = _own(error)
    if own is not None:
        result = own
    elif writing and code_of(error) == sqlite3.SQLITE_IOERR:
        if _extended(error) in _BEFORE_COMMIT:
            result = BackendUnavailable("sqlite: the disk or the file system failed")
        else:
            result = OutcomeUnknown("sqlite: the disk failed while the change was written")
    else:
        result = _of_code(error)
    if not isinstance(result, Undecodable):
        result.__cause__ = error
    return result


def _of_code(error: Exception) -> Exception:
    code, extended = code_of(error), _extended(error)
    if extended == sqlite3.SQLITE_BUSY_SNAPSHOT:
        return BackendUnavailable(
            "sqlite: another wrote since this transaction began to read; roll back and repeat it"
        )
    if code in _UNAVAILABLE:
        return BackendUnavailable(f"sqlite: {_UNAVAILABLE[code]}")
    if extended in (sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE):
        return DuplicateSession("a session with this id exists already")
    if code == sqlite3.SQLITE_ERROR and str(error).startswith(("no such table", "no such column")):
        return SchemaMissing(
            "sqlite: the database holds no coatcheck schema; run `coatcheck prepare`"
        )
    return BackendError("sqlite: the database refused the statement")


def _own(error: BaseException) -> Exception | None:
    """For errors that come from the Python module, and not from SQLite."""
    if _extended(error):
        return None
    if isinstance(error, sqlite3.OperationalError):
        # Its only one while fetching: "Could not decode to UTF-8 column … with text …".
        return Undecodable()
    if _is_lost(error):
        return BackendUnavailable("sqlite: the connection is closed, or belongs to another thread")
    return BackendError("sqlite: a value cannot be stored")


def _is_lost(error: BaseException) -> bool:
    # A value of a type that cannot be bound is a ProgrammingError as well.
    text = str(error) if isinstance(error, sqlite3.ProgrammingError) else ""
    return "closed" in text or "thread" in text


def _extended(error: BaseException) -> int:
    code = getattr(error, "sqlite_errorcode", 0)
    return code if isinstance(code, int) else 0
