"""`AsyncSessionManager`: the calls of `SessionManager`, awaited."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, Unpack
from uuid import UUID

from .._contract.info import Capability
from .._errors import ManagerClosed
from .._flows import bulk, lifecycle, single
from .._flows.bulk import PepperStatus
from .._flows.issue import issue
from .._flows.steps import Core, Flow, Tell
from .._flows.validate import validate
from .._secret import Secret, sealed
from .._unset import UNSET, Unset
from .._values import IssuedSession, Rejection, Session
from .arguments import fields_of, filters_of
from .async_driver import AsyncDriver, Threads, tell
from .transactions import CallEvents, Transaction

if TYPE_CHECKING:
    from .._contract.plugging import Backend
    from .._contract.records import SessionRef
    from .._options import ManagerOptions
    from .._settings import Settings

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


class AsyncSessionManager(AsyncSessionCalls):
    """`SessionManager` for asyncio, over an asynchronous backend or a synchronous one.

    Blocking hooks and Argon2 run in a few threads of its own, hooks that a backend
    declares `inline` on the loop. Use it as `async with AsyncSessionManager.open(…)`,
    or await `start()` and `close()`.

    :param backend: a backend object, prepared by `start` and closed with the manager.
    :param options: as for `SessionManager.open`.
    """

    def __init__(self, backend: object, **options: Unpack[ManagerOptions]) -> None:
        from .opening import build_core, seal_options

        sealed_options = seal_options(options)
        del options
        core = build_core(backend, sealed_options, asynchronous=True)
        super().__init__(core, Threads())

    @classmethod
    def open(cls, url: str, **options: Unpack[ManagerOptions]) -> AsyncSessionManager:
        """As `SessionManager.open`, but nothing is asked of the store before `start`."""
        from .opening import open_backend, seal_options

        secret_url, sealed_options = sealed(url), seal_options(options)
        del url, options
        backend = open_backend(secret_url, asynchronous=True)
        return cls(backend, **sealed_options)

    @classmethod
    def from_env(cls) -> AsyncSessionManager:
        """As `SessionManager.from_env`."""
        from .._settings import Settings

        return cls.from_settings(Settings())

    @classmethod
    def from_settings(cls, settings: Settings) -> AsyncSessionManager:
        """As `SessionManager.from_settings`."""
        return cls.open(settings.sealed_url(), **settings.options())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    async def start(self) -> None:
        """Prepare the backend, once. Raises what `SessionManager.open` raises of the store."""
        if self._why_closed == _CLOSED:
            raise ManagerClosed(_CLOSED)
        if self._why_closed:
            try:
                await self._drive(lifecycle.prepare(self._core))
            except BaseException:
                await self.close()
                raise
            self._why_closed = ""

    async def close(self) -> None:
        """As `SessionManager.close`."""
        if self._why_closed != _CLOSED:
            self._why_closed = _CLOSED
            try:
                await self._drive(lifecycle.close())
            finally:
                self._threads.close()

    async def __aenter__(self) -> AsyncSessionManager:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    def within(self, transaction: object) -> AsyncBoundSessionManager:
        """As `SessionManager.within`; for an asynchronous backend the asynchronous kin of
        its transactions."""
        self._core.require(Capability.TRANSACTIONS, "within")
        return AsyncBoundSessionManager(self, transaction)

    def purge_every(self, interval: timedelta) -> AbstractAsyncContextManager[None]:
        """As `SessionManager.purge_every`, with `async with`."""
        from .purging import purging_task

        return purging_task(self.purge, interval)


class AsyncBoundSessionManager(AsyncSessionCalls):
    """As `BoundSessionManager`; observers that are `async def` are always told at
    `await committed()`."""

    def __init__(self, manager: AsyncSessionManager, transaction: object) -> None:
        super().__init__(manager._core.inside_transaction(), manager._threads)
        self._manager = manager
        self._transaction = Transaction(self._core, transaction)
        self._transaction.check()

    async def committed(self) -> None:
        """As `BoundSessionManager.committed`."""
        for event, observer, args in self._transaction.take():
            await tell(event, (observer,), args)

    async def _run(self, flow: Flow[T]) -> T:
        with self._transaction.bound() as (backend, events):
            call = _CallInTransaction(self._core, self._threads, backend, events)
            call._why_closed = self._manager._why_closed
            return await call._run(flow)


class _CallInTransaction(AsyncDriver):
    """Runs one flow on a bound backend, and keeps what observers are to be told."""

    def __init__(self, core: Core, threads: Threads, backend: Backend, events: CallEvents) -> None:
        super().__init__(core, threads)
        self._hooks = backend.hooks
        self._events = events

    async def _tell(self, step: Tell) -> None:
        self._events.add(step)


_CLOSED = "this manager is closed"
