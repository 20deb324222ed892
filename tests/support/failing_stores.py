"""A backend whose n-th call fails: before it is passed on, or after."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from coatcheck import hookimpl
from coatcheck_conformance.relay import BindingRelay, RequiredOnly


class _Failing:
    """Counts the calls, and fails at one of them, once."""

    failing_at: int | None = None
    """How many calls are let through first; `None` lets all of them."""
    after = False
    error: Callable[[], Exception]
    failed: str | None = None
    """The hook at which it happened."""

    def arm(self, number: int, error: Callable[[], Exception], *, after: bool) -> None:
        """Fail at the call after `number` more."""
        self.failing_at, self.error, self.after, self.failed = number, error, after, None

    def disarm(self) -> str | None:
        """Fail no more; the hook that failed, if one did."""
        self.failing_at = None
        return self.failed

    def _pass(self, hook: str, *args: Any) -> Any:
        if self.failing_at is None:
            return super()._pass(hook, *args)  # type: ignore[misc]
        self.failing_at -= 1
        if self.failing_at >= 0:
            return super()._pass(hook, *args)  # type: ignore[misc]
        self.failing_at, self.failed = None, hook
        if self.after:
            super()._pass(hook, *args)  # type: ignore[misc]
        raise self.error()


class Failing(_Failing, BindingRelay):
    """With every hook of the backend behind it."""


class FailingRequired(_Failing, RequiredOnly):
    """With the required hooks alone, so that a bulk call is many."""


class Listener:
    """An observer of everything; what it was told stands in `told`."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    @hookimpl
    def session_issuing(self, session: Any) -> None:
        self.told.append(("session_issuing", session))

    @hookimpl
    def session_issued(self, session: Any) -> None:
        self.told.append(("session_issued", session))

    @hookimpl
    def session_rejected(self, rejection: Any) -> None:
        self.told.append(("session_rejected", rejection))

    @hookimpl
    def session_updated(self, session: Any, changed: Any) -> None:
        self.told.append(("session_updated", session, changed))

    @hookimpl
    def sessions_updated(self, count: int, changed: Any) -> None:
        self.told.append(("sessions_updated", count, changed))

    @hookimpl
    def sessions_revoked(self, sessions: Any) -> None:
        self.told.append(("sessions_revoked", sessions))

    @hookimpl
    def sessions_purged(self, count: int) -> None:
        self.told.append(("sessions_purged", count))

    def take(self) -> list[tuple[Any, ...]]:
        """What was told since the last time."""
        told, self.told = self.told, []
        return told


def chain_of(error: BaseException | None) -> Iterable[BaseException]:
    """An exception, and all that hangs on it."""
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and one not in seen:
            seen.append(one)
            waiting += [one.__cause__, one.__context__]
    return seen
