"""The one place where errors of pymongo become errors of coatcheck.

No message holds a value. A server may quote one in its own words (a key, a document that was
refused), so the driver's exception stays as the cause only where it speaks of the connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from bson.errors import BSONError, InvalidBSON
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    DuplicateKeyError,
    ExecutionTimeout,
    InvalidOperation,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteConcernError,
)

from coatcheck import (
    BackendError,
    BackendUnavailable,
    DuplicateSession,
    OutcomeUnknown,
    SchemaMissing,
)


class TooLate(Exception):  # noqa: N818 - translated below
    """There was no time left to ask."""


FAILURES: Final = (PyMongoError, BSONError, OverflowError, UnicodeError, TooLate)
"""All that pymongo raises while it encodes, sends, waits or decodes, and our own."""

_NOT_SENT: Final = (ServerSelectionTimeoutError, WaitQueueTimeoutError, TooLate)

# The server had not begun, or has undone what it had begun.
_NOTHING_HAPPENED: Final[Mapping[int, str]] = {
    13: "the user may not do this",
    18: "the server does not let this user in",
    24: "a lock was held until the deadline",
    112: "another operation changed the same session at the same time",
    246: "the transaction's snapshot is gone; abort the transaction and repeat it",
    251: "the transaction is over; abort it and repeat it",
    8000: "the server does not let this user in",
}
_TIMED_OUT: Final = (50, 89, 262)
_INTERRUPTED: Final = 11601

# On its way down or out of office, or cut off from another server: another try may find better.
_PASSING: Final = frozenset(
    {6, 7, 89, 91, 112, 117, 134, 189, 262, 9001, 10058, 10107, 11600, 11602, 13435, 13436}
)
_OTHER_DEFINITION: Final = (85, 86)  # IndexOptionsConflict, IndexKeySpecsConflict
_BAD_HINT: Final = 2


class Undecodable(Exception):  # noqa: N818 - caught by the operations, never seen outside
    """A document of the answer is no BSON, or a text in it no UTF-8. Without the driver's error,
    which may quote it."""


class Passing(Exception):  # noqa: N818 - caught by the operations, never seen outside
    """The call may be repeated, and if nobody does, this is its failure."""

    def __init__(self, failure: BackendError) -> None:
        self.failure = failure


def thrown(error: Exception, *, writing: bool, repeatable: bool, in_transaction: bool) -> Exception:
    """What the step that asked gets: `translated`, and as `Passing` if it may ask again."""
    failure = translated(error, writing=writing, in_transaction=in_transaction)
    if repeatable and not in_transaction and isinstance(failure, BackendError) and may_pass(error):
        return Passing(failure)
    return failure


def translated(error: Exception, *, writing: bool, in_transaction: bool) -> Exception:
    """What to raise instead, with its cause set. To be raised outside of the `except` block,
    or the driver's error would come along as its context.

    :param writing: the call changes something, so that its outcome may be unknown.
    :param in_transaction: it is a part of the caller's transaction.
    """
    if isinstance(error, InvalidBSON):
        return Undecodable()
    if isinstance(error, OperationFailure) and not isinstance(error, WriteConcernError):
        return _of_server(error, writing=writing, in_transaction=in_transaction)
    failure: BackendError
    if isinstance(error, WaitQueueTimeoutError):
        failure = BackendUnavailable(
            "mongodb: all connections were in use until the deadline; maxPoolSize allows more"
        )
    elif isinstance(error, _NOT_SENT):
        failure = BackendUnavailable("mongodb: no server could be reached within the deadline")
    elif isinstance(error, ConnectionFailure | WriteConcernError):
        # The latter says that the write was done on one server, and of the others nothing.
        failure = _lost(writing, "the connection failed, or no answer came within the deadline")
    elif isinstance(error, InvalidOperation):
        # Also the words of a session that was ended, or of a client that was closed.
        return BackendUnavailable("mongodb: the client is closed, or the session has ended")
    elif isinstance(error, ConfigurationError):
        return BackendUnavailable("mongodb: the name of the deployment could not be resolved")
    else:
        return BackendError("mongodb: a value cannot be stored")
    if not isinstance(error, NotPrimaryError | WriteConcernError):
        failure.__cause__ = error
    return failure


def may_pass(error: Exception) -> bool:
    """Whether the same call may succeed in a moment, as after a failover."""
    if isinstance(error, _NOT_SENT):
        return False  # the driver has waited until the deadline
    if isinstance(error, ConnectionFailure):
        return True
    return isinstance(error, OperationFailure) and (
        error.code in _PASSING or error.has_error_label("RetryableWriteError")
    )


def _lost(writing: bool, why: str) -> BackendError:
    return OutcomeUnknown(f"mongodb: {why}") if writing else BackendUnavailable(f"mongodb: {why}")


def _of_server(error: OperationFailure, *, writing: bool, in_transaction: bool) -> BackendError:
    code = error.code or 0
    if isinstance(error, DuplicateKeyError) and _is_of_the_id(error):
        return DuplicateSession("a session with this id exists already")
    if code in _OTHER_DEFINITION:
        return SchemaMissing(
            "mongodb: an index of ours has another definition; drop it, and run `coatcheck prepare`"
        )
    if code == _BAD_HINT and "hint" in str(error):
        return SchemaMissing("mongodb: an index is missing; run `coatcheck prepare`")
    if code in _NOTHING_HAPPENED:
        return BackendUnavailable(f"mongodb: {_NOTHING_HAPPENED[code]}")
    if in_transaction and error.has_error_label("TransientTransactionError"):
        return BackendUnavailable("mongodb: the transaction failed; abort it and repeat it")
    if isinstance(error, ExecutionTimeout) or code in _TIMED_OUT:
        return _lost(writing, "no answer came within the deadline")
    if code == _INTERRUPTED:  # perhaps while the others were to confirm it
        return _lost(writing, "an operator interrupted it")
    if code in _PASSING or error.has_error_label("RetryableWriteError"):
        return _lost(writing, "the server was stopping, or lost its office")
    name = _details(error).get("codeName", "")
    return BackendError(
        f"mongodb: the server refused the command ({code} {name})".replace(" )", ")")
    )


def _is_of_the_id(error: DuplicateKeyError) -> bool:
    pattern = _details(error).get("keyPattern")
    return pattern is None or list(cast("Mapping[str, Any]", pattern)) == ["_id"]


def _details(error: OperationFailure) -> Mapping[str, Any]:
    return error.details or {}
