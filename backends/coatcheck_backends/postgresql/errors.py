"""The one place where errors of psycopg and asyncpg become errors of coatcheck.

Both drivers give the server's SQLSTATE. No message of ours holds SQL, a parameter or a
value. The driver's error is the cause, unless the server added a detail to it: that may
quote a whole row.
"""

from __future__ import annotations

from typing import Any, Final

from coatcheck import (
    BackendError,
    BackendUnavailable,
    CoatcheckError,
    DuplicateSession,
    InvalidInput,
    OutcomeUnknown,
    SchemaMissing,
    remaining,
)


class Expired(Exception):  # noqa: N818 - like psycopg's own, it is the end of a wait
    """The deadline came while the server had not answered."""


ALL_IN_USE: Final = (
    "postgresql: all connections were in use until the deadline; pool_size allows more"
)

UNIQUE_VIOLATION: Final = "23505"
STATEMENT_GONE: Final = ("26000", "42P05")
"""A prepared statement is not there, or is there already: somebody between us and the server
shares its connections out, and nothing was run."""

_REPEATABLE: Final = ("40001", "40P01", *STATEMENT_GONE)
"""Nothing happened, and it may go better another time: a serialization failure, a deadlock."""

_SCHEMA_MISSING: Final = ("42P01", "42703", "3F000")

_UNAVAILABLE: Final = {
    "55P03": "the session was locked until the deadline",
    "57014": "the statement was cancelled, by a timeout of the server's or an operator",
    "57P03": "the server is starting, or shutting down",
    "53100": "the server's disk is full",
    "53200": "the server is out of memory",
    "53300": "the server has no connection left; lower pool_size, or raise max_connections",
    "25006": "the server takes no writes: it is a standby, or read-only",
    "28000": "the server refused the user",
    "28P01": "the server refused the user or the password",
    "3D000": "the server has no such database",
    "40001": "others changed the same sessions until the deadline",
    "40P01": "others changed the same sessions until the deadline",
}

# Before or after the statement's commit, nobody knows: the server ends the connection.
_CUT_OFF: Final = ("57P01", "57P02", "57P05", "25P03")


def sqlstate(error: BaseException) -> str:
    """The server's code; empty if it was not the server that spoke."""
    return str(getattr(error, "sqlstate", None) or "")


def is_repeatable(error: BaseException, *, writing: bool, first: bool) -> bool:
    """Whether the statement may be run again. A read on a connection that turned out to be
    dead is repeated once; of a write nobody knows whether it was done."""
    if sqlstate(error) in _REPEATABLE:
        return remaining() > 0.0
    return first and not writing and is_lost(error)


def is_lost(error: BaseException) -> bool:
    """The connection is gone, and with it the answer."""
    code = sqlstate(error)
    return not isinstance(error, Expired) and (
        not code or code.startswith("08") or code in _CUT_OFF
    )


def translated(error: Exception, *, writing: bool) -> CoatcheckError:
    """What to raise instead, with its cause set.

    :param writing: the statement may have been committed, so that its outcome is unknown
        if there was no answer.
    """
    result = _translated(error, writing)
    if not _quotes_a_row(error):
        result.__cause__ = error
    return result


def _translated(error: Exception, writing: bool) -> CoatcheckError:
    code = sqlstate(error)
    if isinstance(error, Expired):
        said = "the server gave no answer within the deadline"
    elif code and not is_lost(error):
        return _of_sqlstate(code)
    else:
        said = "the connection was lost before the server answered"
    return (OutcomeUnknown if writing else BackendUnavailable)(f"postgresql: {said}")


def _of_sqlstate(code: str) -> CoatcheckError:
    if code == UNIQUE_VIOLATION:
        return DuplicateSession("a session with this id exists already")
    if code in _SCHEMA_MISSING:
        return SchemaMissing(
            "postgresql: the database holds no coatcheck schema, or another one; "
            "run `coatcheck prepare`"
        )
    if code == "25P02":
        return InvalidInput("transaction: a statement of it failed; roll it back")
    if code in _UNAVAILABLE:
        return BackendUnavailable(f"postgresql: {_UNAVAILABLE[code]}")
    if code.startswith("53"):
        return BackendUnavailable("postgresql: the server is out of resources")
    if code == "42501":
        return BackendError("postgresql: the role has not the privileges that coatcheck needs")
    return BackendError(f"postgresql: the server refused the statement (SQLSTATE {code})")


def not_connected(error: Exception) -> CoatcheckError:
    """What to raise if no connection could be made; nothing was asked of the server yet."""
    result: CoatcheckError
    if isinstance(error, CoatcheckError):
        return error
    if isinstance(error, (Expired, TimeoutError)):
        result = BackendUnavailable("postgresql: no connection within the deadline")
    elif sqlstate(error) in _UNAVAILABLE:
        result = BackendUnavailable(f"postgresql: {_UNAVAILABLE[sqlstate(error)]}")
    else:
        result = BackendUnavailable(
            "postgresql: the server cannot be reached, or it refused the connection"
        )
    result.__cause__ = error
    return result


def _quotes_a_row(error: Exception) -> bool:
    diagnostics: Any = getattr(error, "diag", error)
    detail = getattr(diagnostics, "message_detail", None) or getattr(diagnostics, "detail", None)
    return detail is not None
