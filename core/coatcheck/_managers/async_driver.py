"""Runs flows on an event loop, and never lets a store or an Argon2 hold it up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from inspect import iscoroutine
from time import monotonic
from typing import Any, TypeVar

from .._contract.deadline import INLINE, call_deadline
from .._credentials.argon2id import AT_ONCE
from .._errors import BackendUnavailable, ManagerClosed, WouldBlock
from .._flows.steps import Ask, Consult, Core, Flow, Step, Tell, Time, Work
from .._forks import renew_after_fork
from . import failures
from .deadlines import Deadlines

T = TypeVar("T")

STORE_THREADS = 8
"""Hooks of a synchronous backend that run at the same time."""

GRACE = 0.25
"""Seconds that a hook may take past its deadline before it is left to itself."""


class Threads:
    """The executors of one asynchronous manager, made at first use, and anew after a fork; and
    its deadlines."""

    __slots__ = ("__weakref__", "_store", "_work", "deadlines")

    def __init__(self) -> None:
        self.deadlines = Deadlines()
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """The parent's threads do not exist in a child."""
        self._store: ThreadPoolExecutor | None = None
        self._work: ThreadPoolExecutor | None = None

    @property
    def store(self) -> ThreadPoolExecutor:
        """For hooks."""
        if self._store is None:
            self._store = ThreadPoolExecutor(STORE_THREADS, "coatcheck-store")
        return self._store

    @property
    def work(self) -> ThreadPoolExecutor:
        """For computations, apart, so that a flood of them keeps no store waiting."""
        if self._work is None:
            self._work = ThreadPoolExecutor(AT_ONCE, "coatcheck-work")
        return self._work

    def close(self) -> None:
        """Let the threads end when they are done, without waiting for them."""
        for executor in (self._store, self._work):
            if executor is not None:
                executor.shutdown(wait=False)
        self._store = self._work = None


class AsyncDriver:
    """Takes the steps of a flow one after another, under one deadline."""

    def __init__(self, core: Core, threads: Threads) -> None:
        self._core = core
        self._now = core.config.now
        self._deadline = core.config.deadline
        self._hooks = core.backend.hooks
        self._observers = core.observers
        self._asynchronous = core.backend.asynchronous
        self._inline = frozenset[str]() if self._asynchronous else core.backend.inline
        self._threads = threads
        self._deadlines = threads.deadlines
        self._why_closed = "this manager was not started: use `async with`, or await start()"

    async def _run(self, flow: Flow[T]) -> T:
        """The flow's result, or what it raises. `ManagerClosed` before `start`, after `close`."""
        if self._why_closed:
            raise ManagerClosed(self._why_closed)
        return await self._drive(flow)

    async def _drive(self, flow: Flow[T]) -> T:
        """The same, closed or not."""
        until = monotonic() + self._deadline
        try:
            step = flow.send(None)
            while True:
                try:
                    if type(step) is Ask:
                        if step.time is Time.PAGE:
                            until = monotonic() + self._deadline
                        if step.hook in self._inline:
                            answer = self._ask_inline(step)
                            if answer is _WOULD_BLOCK:
                                answer = await self._ask(step, until)
                        else:
                            answer = await self._ask(step, until)
                    else:
                        answer = await self._take(step, until)
                except Exception as error:  # noqa: BLE001 - the flow gets it, as one of ours
                    step = flow.throw(self._failure(step, error))
                else:
                    step = flow.send(answer)
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            flow.close()

    def _ask_inline(self, step: Ask) -> Any:
        before = call_deadline.set(INLINE)
        try:
            return self._hooks[step.hook](*step.args)
        except WouldBlock:
            return _WOULD_BLOCK
        finally:
            call_deadline.reset(before)

    async def _ask(self, step: Ask, until: float) -> Any:
        if step.time is Time.TENTH:
            until = min(until, monotonic() + self._deadline / 10)
        hook = self._hooks[step.hook]
        if not self._asynchronous:
            return await self._in_thread(self._threads.store, step.hook, hook, step.args, until)
        before = call_deadline.set(until)
        watched = self._deadlines.watch(until + GRACE)
        try:
            return await hook(*step.args)
        except asyncio.CancelledError as error:
            if watched.is_late and watched.take_back():
                raise failures.of_time(step.hook) from error
            raise
        finally:
            self._deadlines.forget(watched)
            call_deadline.reset(before)

    async def _take(self, step: Step, until: float) -> Any:
        if isinstance(step, Tell):
            return await self._tell(step)
        if isinstance(step, Work):
            work = self._threads.work
            return await self._in_thread(work, "hash", step.function, step.args, until)
        for observer in self._observers["session_issuing"]:
            await _called(observer, step.args)
        return None

    async def _in_thread(
        self,
        executor: ThreadPoolExecutor,
        name: str,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        until: float,
    ) -> Any:
        def call() -> Any:
            # The caller may have gone: what starts too late must not happen any more.
            if monotonic() >= until:
                raise BackendUnavailable(f"{name}: no thread was free within the deadline")
            before = call_deadline.set(until)
            try:
                return function(*args)
            finally:
                call_deadline.reset(before)

        running = executor.submit(call)
        waiting = asyncio.wrap_future(running)
        waiting.add_done_callback(_forget)
        try:
            done, _ = await asyncio.wait({waiting}, timeout=until + GRACE - monotonic())
        except asyncio.CancelledError:
            running.cancel()
            raise
        if done:
            # Not of `waiting`, for which asyncio makes a TimeoutError anew.
            return running.result()
        # A thread that is at it goes on, and gives back what it holds.
        if running.cancel():
            raise BackendUnavailable(f"{name}: no thread was free within the deadline")
        raise failures.of_time(name)

    async def _tell(self, step: Tell) -> None:
        await tell(step.event, self._observers[step.event], step.args)

    @staticmethod
    def _failure(step: Step, error: Exception) -> Exception:
        if isinstance(step, Ask):
            return failures.of_hook(step.hook, error)
        return failures.of_consulted(error) if isinstance(step, Consult) else error


_WOULD_BLOCK = object()


def _forget(waiting: asyncio.Future[Any]) -> None:
    # Asyncio would log an exception that nobody took from this future, and what it says.
    if not waiting.cancelled():
        waiting.exception()


async def _called(observer: Callable[..., Any], args: tuple[Any, ...]) -> None:
    outcome = observer(*args)
    if iscoroutine(outcome):
        await outcome


async def tell(event: str, observers: Any, args: tuple[Any, ...]) -> None:
    """Call or await observers one by one; what one raises is logged and passed over."""
    for observer in observers:
        try:
            await _called(observer, args)
        except Exception as error:  # noqa: BLE001 - an observer cannot undo what was done
            failures.log_observer(event, error)
