"""What each error of `sqlite3` becomes, and after which a connection is kept."""

from __future__ import annotations

import sqlite3

import pytest

from coatcheck import (
    BackendError,
    BackendUnavailable,
    DuplicateSession,
    OutcomeUnknown,
    SchemaMissing,
)
from coatcheck_backends.sqlite.errors import Undecodable, is_harmless, translated

ANY = (False, True)
CLOSED = sqlite3.ProgrammingError("Cannot operate on a closed database.")
OTHER_THREAD = sqlite3.ProgrammingError("SQLite objects created in a thread can only be used there")
UNBINDABLE = sqlite3.ProgrammingError("Error binding parameter 1: type 'set' is not supported")


def failure(code: object, words: str = "no words") -> sqlite3.Error:
    """An error of SQLite's with this extended result code."""
    error = sqlite3.OperationalError(words)
    error.sqlite_errorcode = code  # type: ignore[assignment]
    return error


BECOMES = [
    *((failure(code), ANY, BackendUnavailable, words) for code, words in (
        (sqlite3.SQLITE_BUSY, "was locked until"),
        (sqlite3.SQLITE_LOCKED, "was locked until"),
        (sqlite3.SQLITE_PROTOCOL, "was locked until"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "roll back and repeat"),
        (sqlite3.SQLITE_BUSY_RECOVERY, "was locked until"),
        (sqlite3.SQLITE_INTERRUPT, "did not end before"),
        (sqlite3.SQLITE_FULL, "the disk is full"),
        (sqlite3.SQLITE_CANTOPEN_ISDIR, "cannot be opened"),
        (sqlite3.SQLITE_READONLY_DBMOVED, "cannot be written"),
        (sqlite3.SQLITE_NOTADB, "not a SQLite database"),
        (sqlite3.SQLITE_CORRUPT_VTAB, "is damaged"),
        (sqlite3.SQLITE_PERM, "access to the database"),
        (sqlite3.SQLITE_IOERR_READ, "disk or the file system"),
        (sqlite3.SQLITE_IOERR_SHMLOCK, "disk or the file system"),
    )),
    (failure(sqlite3.SQLITE_IOERR_WRITE), (False,), BackendUnavailable, "disk or the file system"),
    (failure(sqlite3.SQLITE_IOERR_WRITE), (True,), OutcomeUnknown, "while the change was written"),
    (failure(sqlite3.SQLITE_IOERR_FSYNC), (True,), OutcomeUnknown, "while the change was written"),
    (failure(sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY), ANY, DuplicateSession, "exists already"),
    (failure(sqlite3.SQLITE_CONSTRAINT_UNIQUE), ANY, DuplicateSession, "exists already"),
    (failure(sqlite3.SQLITE_CONSTRAINT_NOTNULL), ANY, BackendError, "refused the statement"),
    (failure(sqlite3.SQLITE_ERROR, "no such table: t"), ANY, SchemaMissing, "coatcheck prepare"),
    (failure(sqlite3.SQLITE_ERROR, "no such column: c"), ANY, SchemaMissing, "coatcheck prepare"),
    (failure(sqlite3.SQLITE_ERROR, "near x: syntax"), ANY, BackendError, "refused the statement"),
    (failure(sqlite3.SQLITE_MISMATCH, "no such table"), ANY, BackendError, "refused the statement"),
    (CLOSED, ANY, BackendUnavailable, "closed, or belongs to another thread"),
    (OTHER_THREAD, ANY, BackendUnavailable, "closed, or belongs to another thread"),
    (UNBINDABLE, ANY, BackendError, "a value cannot be stored"),
    (sqlite3.InterfaceError("a closed thread"), ANY, BackendError, "a value cannot be stored"),
    (OverflowError("too large"), ANY, BackendError, "a value cannot be stored"),
    (failure("of another type"), ANY, Undecodable, "^$"),
    (failure(None), ANY, Undecodable, "^$"),
]  # fmt: skip


@pytest.mark.parametrize(("error", "writings", "kind", "words"), BECOMES)
def test_each_error_becomes_one_of_ours_and_stays_its_cause_unless_it_quotes_a_row(
    error: Exception, writings: tuple[bool, ...], kind: type[Exception], words: str
) -> None:
    for writing in writings:
        with pytest.raises(kind, match=words) as raised:
            raise translated(error, writing=writing)
        assert type(raised.value) is kind
        assert raised.value.__cause__ is (None if kind is Undecodable else error)


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (failure(sqlite3.SQLITE_BUSY_SNAPSHOT), True),
        (failure(sqlite3.SQLITE_FULL), True),
        (failure(sqlite3.SQLITE_CONSTRAINT_UNIQUE), True),
        (UNBINDABLE, True),
        (OverflowError("too large"), True),
        (failure(sqlite3.SQLITE_CORRUPT), False),
        (failure(sqlite3.SQLITE_IOERR_READ), False),
        (failure(sqlite3.SQLITE_ERROR), False),
        (CLOSED, False),
        (OTHER_THREAD, False),
    ],
)
def test_a_connection_is_kept_if_the_error_says_nothing_against_it(
    error: Exception, kept: bool
) -> None:
    assert is_harmless(error) is kept
