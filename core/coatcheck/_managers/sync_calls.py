"""The calls on sessions, the same inside and outside of a transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from uuid import UUID

from .._flows import bulk, lifecycle, single
from .._flows.bulk import PepperStatus
from .._flows.issue import issue
from .._flows.validate import validate
from .._secret import Secret
from .._unset import UNSET, Unset
from .._values import IssuedSession, Rejection, Session
from .arguments import fields_of, filters_of
from .sync_driver import SyncDriver

if TYPE_CHECKING:
    from .._contract.records import SessionRef

T = TypeVar("T")


class SessionCalls(SyncDriver):
    """The calls on sessions, for a manager and for what it is inside a transaction.

    Times are aware datetimes, kept to the millisecond.
    """

    def issue(
        self,
        user_id: str,
        *,
        method: str,
        scopes: Iterable[str] = (),
        metadata: Mapping[str, Any] | None = None,
        expires_at: datetime | None | Unset = UNSET,
        lifetime: timedelta | None | Unset = UNSET,
        inactivity_timeout: timedelta | None | Unset = UNSET,
    ) -> IssuedSession:
        """Sign a user in: a new session, and the one time that its token is shown.

        :param user_id: 1 to 255 characters without control characters, kept exactly.
        :param method: how the user signed in, such as `"password"`; the same rules.
        :param scopes: at most 100 scope tokens (RFC 6749, section 3.3).
        :param metadata: a JSON object, at most 8 KiB of UTF-8 and 32 levels.
        :param expires_at: the absolute end; `None` for none. Not together with `lifetime`.
        :param lifetime: the absolute end as a span from now; `None` for none. Without
            either the manager's `lifetime` counts.
        :param inactivity_timeout: how long it may rest, at least 1 s; `None` for ever.
        :raises InvalidInput: a value breaks a rule of its field.
        :raises IssueDenied: a `session_issuing` hook raised; nothing was stored.
        :raises OutcomeUnknown: the session may exist, and nobody holds its token.
        """
        given = {
            "method": method,
            "scopes": scopes,
            "metadata": metadata,
            "expires_at": expires_at,
            "lifetime": lifetime,
            "inactivity_timeout": inactivity_timeout,
        }
        now = self._now()
        return self._run(issue(self._core, now, user_id, given))

    def validate(self, token: str, *, touch: bool = True) -> Session | Rejection:
        """The session of a token, or a falsy `Rejection` that says why there is none.

        Asks the store once, so a revocation, a change of scopes or an expiry counts at
        once. Records the use if one is due, and rewrites a hash that was made under a
        fallback pepper or another scheme; neither can fail the validation.

        :param token: whatever the client presented; no value of any type raises.
        :param touch: False to write nothing, so that polling keeps no session alive.
        :raises BackendError: the store could not be asked, or its row cannot be read.
            Then nobody is signed in, and nobody is told to be signed out.
        """
        token = Secret(token)  # type: ignore[assignment]  # out of sight before anything else
        return self._run(validate(self._core, self._now(), token, touch))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    def get(self, session_id: UUID) -> Session | None:
        """The session with this id, ended ones too until they are purged; else `None`."""
        return self._run(single.get(session_id))

    def find(
        self,
        *,
        user_id: str | Unset = UNSET,
        method: str | Unset = UNSET,
        scope: str | Unset = UNSET,
        live: bool | Unset = UNSET,
        pepper_id: str | Unset = UNSET,
        limit: int = 100,
        after: UUID | None = None,
    ) -> list[Session]:
        """A page of the sessions that match every filter given, in the order of their ids.

        :param scope: one scope that the session has, among others.
        :param live: True for live ones, False for ended ones, left out for both.
        :param limit: 0 to 1,000. A shorter page is the last one.
        :param after: the id of the last session of the page before; `None` at the start.
        :raises InvalidInput: a filter is `None`, or breaks the rules of its field.
        :raises Unsupported: without `user_id`, on a backend that cannot scan.
        """
        filters = filters_of(user_id, method, scope, live, pepper_id)
        now = self._now()
        return self._run(bulk.find(self._core, now, filters, limit, after))

    def count(
        self,
        *,
        user_id: str | Unset = UNSET,
        method: str | Unset = UNSET,
        scope: str | Unset = UNSET,
        live: bool | Unset = UNSET,
        pepper_id: str | Unset = UNSET,
    ) -> int:
        """How many sessions `find` would walk over with the same filters."""
        filters = filters_of(user_id, method, scope, live, pepper_id)
        return self._run(bulk.count(self._core, self._now(), filters))

    def update(
        self,
        session_id: UUID,
        *,
        scopes: Iterable[str] | Unset = UNSET,
        metadata: Mapping[str, Any] | Unset = UNSET,
        expires_at: datetime | None | Unset = UNSET,
        inactivity_timeout: timedelta | None | Unset = UNSET,
    ) -> Session | None:
        """Change the named fields of a live session; each is replaced, never merged.

        The next `validate`, anywhere, sees it. A change may end the session, which the
        answer shows. Safe to repeat.

        :returns: the session afterwards; `None` if it is absent or ended.
        :raises InvalidInput: no field was named, or one breaks its rules.
        """
        fields = fields_of(scopes, metadata, expires_at, inactivity_timeout)
        now = self._now()
        return self._run(single.update(self._core, now, session_id, fields))

    def update_all(
        self,
        *,
        user_id: str | Unset = UNSET,
        method: str | Unset = UNSET,
        pepper_id: str | Unset = UNSET,
        everyone: bool = False,
        scopes: Iterable[str] | Unset = UNSET,
        metadata: Mapping[str, Any] | Unset = UNSET,
        expires_at: datetime | None | Unset = UNSET,
        inactivity_timeout: timedelta | None | Unset = UNSET,
    ) -> int:
        """Change the named fields of all live sessions that match every filter given.

        :param everyone: True, and no filter, for all there are.
        :returns: how many sessions were changed.
        :raises InvalidInput: no filter, or one of `None`: never "all" by accident.
        """
        filters = {"user_id": user_id, "method": method, "pepper_id": pepper_id}
        fields = fields_of(scopes, metadata, expires_at, inactivity_timeout)
        now = self._now()
        return self._run(bulk.update_all(self._core, now, filters, everyone, fields))

    def revoke(self, session_id: UUID) -> bool:
        """Sign a session out, whatever its state. A `validate` that starts later rejects it.

        :returns: True for the one call that removed it. Safe to repeat.
        """
        return self._run(single.revoke(self._core, self._now(), session_id))

    def revoke_all(
        self,
        *,
        user_id: str | Unset = UNSET,
        method: str | Unset = UNSET,
        scope: str | Unset = UNSET,
        pepper_id: str | Unset = UNSET,
        keep: Collection[UUID] = (),
        everyone: bool = False,
    ) -> list[SessionRef]:
        """Sign out every session that matches all filters given, in any state.

        :param keep: ids to spare, as in "sign out everywhere else".
        :param everyone: True, and no filter, for all there are.
        :returns: those that were removed, in no particular order.
        :raises InvalidInput: no filter, or one of `None`: never "all" by accident.
        """
        filters = {"user_id": user_id, "method": method, "scope": scope, "pepper_id": pepper_id}
        now = self._now()
        return self._run(bulk.revoke_all(self._core, now, filters, everyone, keep))

    def purge(self, *, expired: bool = True, inactive: bool = True, batch_size: int = 1000) -> int:
        """Remove sessions that have ended; never a live one. Safe to run twice at once.

        :param expired: remove those whose `expires_at` has come.
        :param inactive: remove those that only rested too long.
        :param batch_size: how many go at a time, 1 to 100,000; each batch has a deadline.
        :returns: how many were removed.
        """
        now = self._now()
        return self._run(bulk.purge(self._core, now, expired, inactive, batch_size))

    def pepper_status(self) -> list[PepperStatus]:
        """Sessions under each configured pepper, then under each that is not configured."""
        return self._run(bulk.pepper_status(self._core))

    def ping(self) -> None:
        """Ask the store the least there is to ask. Raises `BackendUnavailable`."""
        self._run(lifecycle.ping())

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} holds peppers and cannot be pickled")
