"""coatcheck: server-side session tokens whose store is a plugin.

Everything that a user or the author of a backend needs is imported from here.
Importing it loads no driver, no SQLAlchemy, no pydantic and no Alembic: each
comes with the backend, or with the setting, that needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._contract.deadline import remaining
from ._contract.hookspec import hookimpl
from ._contract.info import SPEC_VERSION, BackendInfo, Capability
from ._contract.records import Changes, Record, SessionRef, State, Where
from ._errors import (
    BackendError,
    BackendUnavailable,
    CoatcheckError,
    ConfigError,
    DuplicateSession,
    InvalidInput,
    IssueDenied,
    ManagerClosed,
    OutcomeUnknown,
    SchemaMissing,
    SchemaTooNew,
    Unsupported,
    WouldBlock,
)
from ._flows.bulk import PepperStatus
from ._managers.sync import BoundSessionManager, SessionManager
from ._secret import Secret
from ._values import IssuedSession, Rejection, RejectionReason, Session

if TYPE_CHECKING:
    from ._managers.asynchronous import AsyncBoundSessionManager, AsyncSessionManager
    from ._settings import Settings

__all__ = [
    "SPEC_VERSION",
    "AsyncBoundSessionManager",
    "AsyncSessionManager",
    "BackendError",
    "BackendInfo",
    "BackendUnavailable",
    "BoundSessionManager",
    "Capability",
    "Changes",
    "CoatcheckError",
    "ConfigError",
    "DuplicateSession",
    "InvalidInput",
    "IssueDenied",
    "IssuedSession",
    "ManagerClosed",
    "OutcomeUnknown",
    "PepperStatus",
    "Record",
    "Rejection",
    "RejectionReason",
    "SchemaMissing",
    "SchemaTooNew",
    "Secret",
    "Session",
    "SessionManager",
    "SessionRef",
    "Settings",
    "State",
    "Unsupported",
    "Where",
    "WouldBlock",
    "hookimpl",
    "remaining",
]


def __getattr__(name: str) -> object:
    # asyncio and pydantic-settings cost more to import than all the rest together.
    if name in {"AsyncBoundSessionManager", "AsyncSessionManager"}:
        from ._managers import asynchronous

        return getattr(asynchronous, name)
    if name == "Settings":
        from ._settings import Settings

        return Settings
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
