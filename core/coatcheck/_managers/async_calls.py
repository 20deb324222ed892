"""The calls of `sync_calls`, awaited."""

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
from .async_driver import AsyncDriver

if TYPE_CHECKING:
    from .._contract.records import SessionRef

T = TypeVar("T")


class AsyncSessionCalls(AsyncDriver):
    """The calls of `SessionCalls` with `await`: same arguments, same laws, same errors."""

    async def issue(
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
        """As `SessionManager.issue`."""
        given = {
            "method": method,
            "scopes": scopes,
            "metadata": metadata,
            "expires_at": expires_at,
            "lifetime": lifetime,
            "inactivity_timeout": inactivity_timeout,
        }
        now = self._now()
        return await self._run(issue(self._core, now, user_id, given))

    async def validate(self, token: str, *, touch: bool = True) -> Session | Rejection:
        """As `SessionManager.validate`."""
        token = Secret(token)  # type: ignore[assignment]  # out of sight before anything else
        return await self._run(validate(self._core, self._now(), token, touch))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    async def get(self, session_id: UUID) -> Session | None:
        """As `SessionManager.get`."""
        return await self._run(single.get(session_id))

    async def find(
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
        """As `SessionManager.find`."""
        filters = filters_of(user_id, method, scope, live, pepper_id)
        now = self._now()
        return await self._run(bulk.find(self._core, now, filters, limit, after))

    async def count(
        self,
        *,
        user_id: str | Unset = UNSET,
        method: str | Unset = UNSET,
        scope: str | Unset = UNSET,
        live: bool | Unset = UNSET,
        pepper_id: str | Unset = UNSET,
    ) -> int:
        """As `SessionManager.count`."""
        filters = filters_of(user_id, method, scope, live, pepper_id)
        return await self._run(bulk.count(self._core, self._now(), filters))

    async def update(
        self,
        session_id: UUID,
        *,
        scopes: Iterable[str] | Unset = UNSET,
        metadata: Mapping[str, Any] | Unset = UNSET,
        expires_at: datetime | None | Unset = UNSET,
        inactivity_timeout: timedelta | None | Unset = UNSET,
    ) -> Session | None:
        """As `SessionManager.update`."""
        fields = fields_of(scopes, metadata, expires_at, inactivity_timeout)
        now = self._now()
        return await self._run(single.update(self._core, now, session_id, fields))

    async def update_all(
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
        """As `SessionManager.update_all`."""
        filters = {"user_id": user_id, "method": method, "pepper_id": pepper_id}
        fields = fields_of(scopes, metadata, expires_at, inactivity_timeout)
        now = self._now()
        return await self._run(bulk.update_all(self._core, now, filters, everyone, fields))

    async def revoke(self, session_id: UUID) -> bool:
        """As `SessionManager.revoke`."""
        return await self._run(single.revoke(self._core, self._now(), session_id))

    async def revoke_all(
        self,
        *,
        user_id: str | Unset = UNSET,
        method: str | Unset = UNSET,
        scope: str | Unset = UNSET,
        pepper_id: str | Unset = UNSET,
        keep: Collection[UUID] = (),
        everyone: bool = False,
    ) -> list[SessionRef]:
        """As `SessionManager.revoke_all`."""
        filters = {"user_id": user_id, "method": method, "scope": scope, "pepper_id": pepper_id}
        now = self._now()
        return await self._run(bulk.revoke_all(self._core, now, filters, everyone, keep))

    async def purge(
        self, *, expired: bool = True, inactive: bool = True, batch_size: int = 1000
    ) -> int:
        """As `SessionManager.purge`."""
        now = self._now()
        return await self._run(bulk.purge(self._core, now, expired, inactive, batch_size))

    async def pepper_status(self) -> list[PepperStatus]:
        """As `SessionManager.pepper_status`."""
        return await self._run(bulk.pepper_status(self._core))

    async def ping(self) -> None:
        """As `SessionManager.ping`."""
        await self._run(lifecycle.ping())

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} holds peppers and cannot be pickled")
