"""What the caller is told of a hook or an observer that failed: one place for both drivers."""

from __future__ import annotations

from .._contract.hookspec import WRITE_HOOKS
from .._errors import (
    BackendError,
    BackendUnavailable,
    CoatcheckError,
    IssueDenied,
    OutcomeUnknown,
    WouldBlock,
)
from .._flows.steps import logger


def of_hook(hook: str, error: Exception) -> CoatcheckError:
    """The error of a hook as one of ours, with the original as its cause.

    `WouldBlock` says that nothing happened. After anything else that a write raised
    and that is none of our errors, nobody can know whether it was done.
    """
    failure: CoatcheckError
    if isinstance(error, WouldBlock):
        failure = BackendUnavailable(f"{hook}: the store was not free within the deadline")
    elif isinstance(error, OutcomeUnknown) and hook not in WRITE_HOOKS:
        failure = BackendUnavailable(f"{hook}: the store gave no answer")
    elif isinstance(error, CoatcheckError):
        return error
    elif hook not in WRITE_HOOKS:
        failure = BackendError(f"{hook}: the backend failed with {type(error).__name__}")
    else:
        failure = OutcomeUnknown(f"{hook}: the backend failed with {type(error).__name__}")
    failure.__cause__ = error
    return failure


def of_time(name: str) -> BackendError:
    """The error for a hook, or a computation, that did not end within the deadline."""
    if name in WRITE_HOOKS:
        return OutcomeUnknown(f"{name}: no answer within the deadline")
    return BackendUnavailable(f"{name}: no answer within the deadline")


def of_consulted(error: Exception) -> IssueDenied:
    """The error for an observer of `session_issuing` that raised."""
    if isinstance(error, IssueDenied):
        return error
    denied = IssueDenied("a session_issuing hook refused the session")
    denied.__cause__ = error
    return denied


def log_observer(event: str, error: Exception) -> None:
    """An observer that raises is passed over; its words stay out of the log."""
    logger.error("an observer of %s failed with %s", event, type(error).__name__)
