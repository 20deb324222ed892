"""`SessionManager`, and what it is inside a transaction."""

from __future__ import annotations

from contextlib import AbstractContextManager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar, Unpack

from .._contract.info import Capability
from .._flows import lifecycle
from .._flows.steps import Core, Flow, Tell
from .._secret import Secret, sealed
from .sync_calls import SessionCalls
from .sync_driver import SyncDriver, tell
from .transactions import CallEvents, Transaction

if TYPE_CHECKING:
    from .._contract.plugging import Backend
    from .._options import ManagerOptions
    from .._settings import Settings

T = TypeVar("T")


class SessionManager(SessionCalls):
    """Issues, validates and revokes sessions in the store that a backend reaches.

    Threads may share one, and a forked process may use its parent's. Use it as a
    context manager, or call `close()`.

    Every call raises `BackendUnavailable`, `OutcomeUnknown` or another `BackendError`
    when the store fails, `ManagerClosed` after `close`, and `InvalidInput`, which names
    the field, before the store is asked.

    :param backend: a backend object, prepared here and closed with the manager.
    :param options: as for `open`.
    """

    def __init__(self, backend: object, **options: Unpack[ManagerOptions]) -> None:
        from .opening import build_core, seal_options

        sealed_options = seal_options(options)
        del options
        super().__init__(build_core(backend, sealed_options, asynchronous=False))
        try:
            self._run(lifecycle.prepare(self._core))
        except BaseException:
            with suppress(Exception):  # why it could not be prepared is the news
                self.close()
            raise

    @classmethod
    def open(cls, url: str | Secret[str], **options: Unpack[ManagerOptions]) -> SessionManager:
        """Open the backend that the URL's scheme names, and a manager over it.

        :param url: such as `sqlite:///sessions.db`; a backend's own options in its query.
        :param options: `pepper` is required. The others, with their defaults:
            `fallback_peppers` (none), `lifetime` (30 days; `None`: no end),
            `inactivity_timeout` (7 days; `None`: none), `touch_interval` (60 s),
            `secret_length` (32 bytes), `salt_length` (16 bytes), `token_prefix` ("cck"),
            `hash_scheme` ("hmac-sha256", or "argon2id" with `argon2_memory_kib`,
            `argon2_time_cost`, `argon2_parallelism`), `deadline` (5 s a call),
            `prepare` (True; False opens without DDL rights), `clock` and `plugins`.
        :raises ConfigError: the URL, an option, the backend or a plugin cannot be used.
        :raises SchemaMissing: with `prepare=False`, and the schema is not there.
        :raises SchemaTooNew: a newer coatcheck made the schema.
        :raises BackendUnavailable: the store cannot be reached.
        """
        from .opening import open_backend, seal_options

        secret_url, sealed_options = sealed(url), seal_options(options)
        del url, options
        backend = open_backend(secret_url, asynchronous=False)
        return cls(backend, **sealed_options)

    @classmethod
    def from_env(cls, **options: Unpack[ManagerOptions]) -> SessionManager:
        """Open what the environment, `.env`, the secrets directory and `coatcheck.toml` say.

        :param options: as for `open`; those given here count before the settings, and
            `plugins` and `clock` can be given only here.
        :raises ConfigError: a setting is missing or wrong; the message names it.
        """
        from .._settings import Settings

        return cls.from_settings(Settings(), **options)

    @classmethod
    def from_settings(cls, settings: Settings, **options: Unpack[ManagerOptions]) -> SessionManager:
        """Open what `settings` say, but for the `options` given here."""
        return cls.open(settings.sealed_url(), **(settings.options() | options))

    def within(self, transaction: object) -> BoundSessionManager:
        """The same calls inside the caller's own transaction: seen inside it, there at its
        commit, gone with its rollback.

        :param transaction: for a SQL backend a SQLAlchemy `Connection` or `Session` on the
            same database.
        :raises Unsupported: the backend has no transactions.
        :raises InvalidInput: the transaction is none of this store's.
        """
        self._core.require(Capability.TRANSACTIONS, "within")
        return BoundSessionManager(self, transaction)

    def purge_every(self, interval: timedelta) -> AbstractContextManager[None]:
        """Purge in the background while the context is open, about every `interval`.

        :param interval: at least 1 s; each wait is longer or shorter by up to a tenth,
            so that many processes do not purge at once. A failed purge is logged.
        """
        from .purging import purging_thread

        return purging_thread(self.purge, interval)

    def close(self) -> None:
        """Close the backend. Further calls raise `ManagerClosed`; closing again does nothing."""
        if not self._closed:
            try:
                self._run(lifecycle.close())
            finally:
                self._closed = True

    def __enter__(self) -> SessionManager:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class BoundSessionManager(SessionCalls):
    """A manager inside a caller's transaction; made by `SessionManager.within`.

    `validate` in here records no use and rewrites no hash. Observers are told after
    the commit: with a SQLAlchemy `Session` by itself, with a `Connection` when the
    caller says `committed()`.
    """

    def __init__(self, manager: SessionManager, transaction: object) -> None:
        super().__init__(manager._core.inside_transaction())
        self._manager = manager
        self._transaction = Transaction(self._core, transaction)
        self._transaction.check()

    def committed(self) -> None:
        """Say that the transaction has committed: observers are told what waited for it."""
        for event, observer, args in self._transaction.take():
            tell(event, (observer,), args)

    def _run(self, flow: Flow[T]) -> T:
        with self._transaction.bound() as (backend, events):
            call = _CallInTransaction(self._core, backend, events)
            call._closed = self._manager._closed
            return call._run(flow)


class _CallInTransaction(SyncDriver):
    """Runs one flow on a bound backend, and keeps what observers are to be told."""

    def __init__(self, core: Core, backend: Backend, events: CallEvents) -> None:
        super().__init__(core)
        self._hooks = backend.hooks
        self._events = events

    def _tell(self, step: Tell) -> None:
        self._events.add(step)
