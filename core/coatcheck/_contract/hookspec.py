"""The hook spec: what a backend implements, and what an observer may.

Every implementation is marked with `coatcheck.hookimpl` and takes exactly the
arguments given here, by position and without defaults. pluggy checks the
names when a plugin is registered; `plugging.py` checks the rest and resolves
each hook once, so that none of pluggy's calling is on the path of a request.

What absent, repeated and failed mean stands with each hook. A backend maps
every failure of its driver to the errors of `coatcheck`; a read never raises
`OutcomeUnknown`. Each hook on one session is one atomic step of the store.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pluggy

from .._secret import Secret
from .info import BackendInfo
from .records import Changes, Record, SessionRef, Where

if TYPE_CHECKING:
    from .._values import Rejection, Session

PROJECT = "coatcheck"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function or method as an implementation of a coatcheck hook."""


class ModuleHooks:
    """Implemented by the module that a `coatcheck.backends` entry point names."""

    @hookspec
    def open_backend(self, url: Secret[str]) -> object:
        """A backend for `SessionManager`. Takes its own options out of the URL's query.

        Opens no connection that a fork would share before `prepare`. Raises
        `ConfigError` for an option that it does not know or that would break a law.
        """
        raise AssertionError

    @hookspec
    def open_async_backend(self, url: Secret[str]) -> object:
        """The same for `AsyncSessionManager`; without it `open_backend` serves both."""
        raise AssertionError


class StorageHooks:
    """Implemented by the backend object. The optional ones, from `count` to `pepper_counts`,
    are composed by the core where a backend has none; without `bound` it has no transactions."""

    @hookspec
    def info(self) -> BackendInfo:
        """Name, spec version and capabilities. Asked once, before `prepare`."""
        raise AssertionError

    @hookspec
    def prepare(self, create: bool) -> None:
        """Make the schema, or with `create` false only check it. Idempotent, and safe when
        eight processes start at once. Raises `SchemaMissing`, `SchemaTooNew`."""
        raise AssertionError

    @hookspec
    def close(self) -> None:
        """Give everything back. Idempotent."""
        raise AssertionError

    @hookspec
    def ping(self) -> None:
        """Ask the store the least there is to ask. Raises `BackendUnavailable`."""
        raise AssertionError

    @hookspec
    def insert(self, record: Record) -> None:
        """Store a new session. Raises `DuplicateSession` and changes nothing if the id exists."""
        raise AssertionError

    @hookspec
    def load(self, session_id: UUID) -> Record | None:
        """The session, or `None`. A row that cannot be read is a `BackendError` with its id."""
        raise AssertionError

    @hookspec
    def touch(self, session_id: UUID, now: int) -> bool:
        """Raise `last_used_at` to `now` if it is lower and the session is live at `now`.

        True if it exists and is live, even if it was touched later already.
        Never creates a session, and never changes another field.
        """
        raise AssertionError

    @hookspec
    def replace_key_hash(self, session_id: UUID, old: str, new: str, pepper_id: str) -> bool:
        """Set `key_hash` and `pepper_id` together, if the hash is still `old`; else False."""
        raise AssertionError

    @hookspec
    def update(self, session_id: UUID, changes: Changes, where: Where) -> Record | None:
        """Set the named fields; the record afterwards. `None` if the session is absent or
        does not match `where` in the same step."""
        raise AssertionError

    @hookspec
    def delete(self, session_id: UUID, where: Where) -> SessionRef | None:
        """Remove the session; `None` if it is absent or does not match `where` in the same
        step. With an empty `where`, in which `now` may be set, it works on a row that cannot
        be read."""
        raise AssertionError

    @hookspec
    def find(self, where: Where, after: UUID | None, limit: int) -> list[Record]:
        """At most `limit` matching sessions with an id above `after`, in the order of ids."""
        raise AssertionError

    @hookspec
    def count(self, where: Where) -> int:
        """How many sessions match. Optional."""
        raise AssertionError

    @hookspec
    def update_where(self, where: Where, changes: Changes) -> int:
        """`update` for all that match; how many did. Optional."""
        raise AssertionError

    @hookspec
    def delete_where(self, where: Where, keep: frozenset[UUID]) -> list[SessionRef]:
        """`delete` for all that match and are not in `keep`. Optional."""
        raise AssertionError

    @hookspec
    def purge(self, where: Where, limit: int) -> int:
        """Remove at most `limit` that match; how many went. 0 only if none is left that
        another purge does not hold. Optional."""
        raise AssertionError

    @hookspec
    def pepper_counts(self) -> dict[str, int]:
        """Sessions under each `pepper_id`, ended ones too. Optional."""
        raise AssertionError

    @hookspec
    def bound(self, transaction: Any, ended: Callable[[bool], None]) -> object:
        """A backend of the same class that works inside `transaction`, the caller's own.

        Calls `ended(True)` after the commit, or `ended(False)` after a rollback (a
        savepoint's around the place where `bound` was called, too), if it can see
        them. Raises `InvalidInput` for a transaction that is not of this store.
        Optional: without it the backend has no transactions.
        """
        raise AssertionError


class EventHooks:
    """Implemented by any object in `plugins=[…]`. No event carries a secret.

    An observer that raises is logged and passed over; only `session_issuing` can
    stop anything. Under `AsyncSessionManager` each may be `async def`.
    """

    @hookspec
    def session_issuing(self, session: Session) -> None:
        """Before a session is stored. Any exception stops the issue, as `IssueDenied`."""

    @hookspec
    def session_issued(self, session: Session) -> None:
        """A session was stored."""

    @hookspec
    def session_rejected(self, rejection: Rejection) -> None:
        """A token was refused."""

    @hookspec
    def session_updated(self, session: Session, changed: frozenset[str]) -> None:
        """`update` changed the fields named in `changed`; `session` is as it is now."""

    @hookspec
    def sessions_updated(self, count: int, changed: frozenset[str]) -> None:
        """`update_all` changed the fields named in `changed` of `count` sessions."""

    @hookspec
    def sessions_revoked(self, sessions: list[SessionRef]) -> None:
        """`revoke` or `revoke_all` removed these."""

    @hookspec
    def sessions_purged(self, count: int) -> None:
        """A batch of `purge` removed this many ended sessions."""


def hook_names(spec: type) -> tuple[str, ...]:
    """The hooks of one of the classes above, in their order."""
    return tuple(name for name, value in vars(spec).items() if hasattr(value, "coatcheck_spec"))


STORAGE_HOOKS = hook_names(StorageHooks)
OPTIONAL_HOOKS = ("count", "update_where", "delete_where", "purge", "pepper_counts", "bound")
EVENT_HOOKS = hook_names(EventHooks)
WRITE_HOOKS = frozenset(STORAGE_HOOKS) - {
    "info",
    "ping",
    "load",
    "find",
    "count",
    "pepper_counts",
    "bound",
}
"""Hooks that change the store, so that a lost answer is an unknown outcome."""
