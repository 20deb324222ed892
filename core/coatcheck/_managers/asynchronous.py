"""`AsyncSessionManager`: the calls of `SessionManager`, awaited."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar, Unpack

from .._contract.info import Capability
from .._errors import ManagerClosed
from .._flows import lifecycle
from .._flows.steps import Core, Flow, Tell
from .._secret import Secret, sealed
from .async_calls import AsyncSessionCalls
from .async_driver import AsyncDriver, Threads, tell
from .transactions import CallEvents, Transaction

if TYPE_CHECKING:
    from .._contract.plugging import Backend
    from .._options import ManagerOptions
    from .._settings import Settings

T = TypeVar("T")


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
    def open(cls, url: str | Secret[str], **options: Unpack[ManagerOptions]) -> AsyncSessionManager:
        """As `SessionManager.open`, but nothing is asked of the store before `start`."""
        from .opening import open_backend, seal_options

        secret_url, sealed_options = sealed(url), seal_options(options)
        del url, options
        backend = open_backend(secret_url, asynchronous=True)
        return cls(backend, **sealed_options)

    @classmethod
    def from_env(cls, **options: Unpack[ManagerOptions]) -> AsyncSessionManager:
        """As `SessionManager.from_env`."""
        from .._settings import Settings

        return cls.from_settings(Settings(), **options)

    @classmethod
    def from_settings(
        cls, settings: Settings, **options: Unpack[ManagerOptions]
    ) -> AsyncSessionManager:
        """As `SessionManager.from_settings`."""
        return cls.open(settings.sealed_url(), **(settings.options() | options))

    async def start(self) -> None:
        """Prepare the backend, once. Raises what `SessionManager.open` raises of the store."""
        if self._why_closed == _CLOSED:
            raise ManagerClosed(_CLOSED)
        if self._why_closed:
            try:
                await self._drive(lifecycle.prepare(self._core))
            except BaseException:
                with suppress(Exception):  # why it could not be prepared is the news
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
