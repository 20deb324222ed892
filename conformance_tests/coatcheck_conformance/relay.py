"""A backend between the core and another one.

A test listens in (`calls`), lets something happen just before a hook (`before`), or
answers in the other's place (`instead`). `RequiredOnly` shows the core no optional
hook at all, so that the core has to compose them. The classes are for synchronous
backends; `relay_over` has the same for asynchronous ones.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from inspect import isawaitable
from typing import Any, Final, cast
from uuid import UUID

from coatcheck import BackendInfo, Capability, Changes, Record, SessionRef, Where, hookimpl

REQUIRED_HOOKS: Final = frozenset(
    {
        "info", "prepare", "close", "ping",
        "insert", "load", "touch", "replace_key_hash", "update", "delete", "find",
    }
)  # fmt: skip
OPTIONAL_HOOKS: Final = frozenset(
    {"count", "update_where", "delete_where", "purge", "pepper_counts"}
)
WRITE_HOOKS: Final = frozenset(
    {
        "insert", "touch", "replace_key_hash", "update", "delete",
        "update_where", "delete_where", "purge",
    }
)  # fmt: skip


class RequiredOnly:
    """The required hooks of a backend, and none of the optional ones.

    :ivar calls: the hooks that were called, in their order.
    :ivar before: by hook, what is to happen just before the next call of it, once.
    :ivar instead: by hook, what answers in place of the backend, every time.
    """

    def __init__(self, backend: object) -> None:
        self.backend = backend
        self.calls: list[str] = []
        self.before: dict[str, Callable[[], object]] = {}
        self.instead: dict[str, Callable[..., object]] = {}

    def reset(self) -> None:
        """Forget what was called and what was to happen."""
        self.calls.clear()
        self.before.clear()
        self.instead.clear()

    @property
    def writes(self) -> list[str]:
        """The calls that may have changed a session."""
        return [hook for hook in self.calls if hook in WRITE_HOOKS]

    def ask(self, hook: str, *args: Any) -> Any:
        """The backend's own answer, past everything that a test has set up here; of an
        asynchronous backend it is awaitable."""
        return getattr(self.backend, hook)(*args)

    def _pass(self, hook: str, *args: Any) -> Any:
        self.calls.append(hook)
        action = self.before.pop(hook, None)
        if action is not None:
            action()
        answer = self.instead.get(hook)
        return self.ask(hook, *args) if answer is None else answer(*args)

    @hookimpl
    def info(self) -> BackendInfo:
        return self.told(REQUIRED_HOOKS)

    def told(self, hooks: frozenset[str]) -> BackendInfo:
        """What the backend says of itself, as far as `hooks` go."""
        info = cast(BackendInfo, self.ask("info"))
        lacks = frozenset[str]() if "bound" in hooks else {Capability.TRANSACTIONS}
        return BackendInfo(
            name=info.name,
            spec_version=info.spec_version,
            capabilities=frozenset(info.capabilities) - lacks,
            inline=frozenset(info.inline) & hooks,
            asynchronous=info.asynchronous,
        )

    @hookimpl
    def prepare(self, create: bool) -> None:
        self._pass("prepare", create)

    @hookimpl
    def close(self) -> None:
        self._pass("close")

    @hookimpl
    def ping(self) -> None:
        self._pass("ping")

    @hookimpl
    def insert(self, record: Record) -> None:
        self._pass("insert", record)

    @hookimpl
    def load(self, session_id: UUID) -> Record | None:
        return cast(Record | None, self._pass("load", session_id))

    @hookimpl
    def touch(self, session_id: UUID, now: int) -> bool:
        return cast(bool, self._pass("touch", session_id, now))

    @hookimpl
    def replace_key_hash(self, session_id: UUID, old: str, new: str, pepper_id: str) -> bool:
        return cast(bool, self._pass("replace_key_hash", session_id, old, new, pepper_id))

    @hookimpl
    def update(self, session_id: UUID, changes: Changes, where: Where) -> Record | None:
        return cast(Record | None, self._pass("update", session_id, changes, where))

    @hookimpl
    def delete(self, session_id: UUID, where: Where) -> SessionRef | None:
        return cast(SessionRef | None, self._pass("delete", session_id, where))

    @hookimpl
    def find(self, where: Where, after: UUID | None, limit: int) -> list[Record]:
        return cast(list[Record], self._pass("find", where, after, limit))


class Relay(RequiredOnly):
    """All hooks but `bound`. The backend behind it must have the optional ones."""

    @hookimpl
    def info(self) -> BackendInfo:
        return self.told(REQUIRED_HOOKS | OPTIONAL_HOOKS)

    @hookimpl
    def count(self, where: Where) -> int:
        return cast(int, self._pass("count", where))

    @hookimpl
    def update_where(self, where: Where, changes: Changes) -> int:
        return cast(int, self._pass("update_where", where, changes))

    @hookimpl
    def delete_where(self, where: Where, keep: frozenset[UUID]) -> list[SessionRef]:
        return cast(list[SessionRef], self._pass("delete_where", where, keep))

    @hookimpl
    def purge(self, where: Where, limit: int) -> int:
        return cast(int, self._pass("purge", where, limit))

    @hookimpl
    def pepper_counts(self) -> dict[str, int]:
        return cast(dict[str, int], self._pass("pepper_counts"))


class BindingRelay(Relay):
    """All hooks. What is bound is relayed too, and listed in the same `calls`."""

    @hookimpl
    def info(self) -> BackendInfo:
        return self.told(REQUIRED_HOOKS | OPTIONAL_HOOKS | {"bound"})

    @hookimpl
    def bound(self, transaction: Any, ended: Callable[[bool], None]) -> object:
        inside = type(self)(self._pass("bound", transaction, ended))
        inside.calls, inside.before, inside.instead = self.calls, self.before, self.instead
        return inside


@functools.cache
def _relaying(hooks: frozenset[str], asynchronous: bool) -> type[RequiredOnly]:
    """A relay that shows just these optional hooks beside the required ones; for an
    asynchronous backend with coroutine functions, but for `info` and `bound`."""
    methods: dict[str, Any] = {hook: getattr(BindingRelay, hook) for hook in hooks}
    if asynchronous:
        waiting = (REQUIRED_HOOKS | hooks) - {"info", "bound"}
        methods |= {hook: _awaiting(getattr(BindingRelay, hook)) for hook in waiting}

    def info(self: RequiredOnly) -> BackendInfo:
        return self.told(REQUIRED_HOOKS | hooks)

    return type("Relay", (RequiredOnly,), {**methods, "info": hookimpl(info)})


def _awaiting(hook: Callable[..., Any]) -> Callable[..., Any]:
    # With the name, the arguments and the mark of the hook itself.
    @functools.wraps(hook)
    async def awaiting(self: RequiredOnly, *args: Any) -> Any:
        self.calls.append(hook.__name__)
        action = self.before.pop(hook.__name__, None)
        if action is not None:
            # In a thread, from which it may ask what runs on this loop.
            await asyncio.to_thread(action)
        instead = self.instead.get(hook.__name__)
        answer = self.ask(hook.__name__, *args) if instead is None else instead(*args)
        return await answer if isawaitable(answer) else answer

    return awaiting


def relay_over(backend: object, *, required_only: bool = False) -> RequiredOnly:
    """The relay that shows every hook which the backend has, or the required ones alone."""
    optional = OPTIONAL_HOOKS | {"bound"}
    hooks = frozenset(hook for hook in optional if hasattr(backend, hook) and not required_only)
    info = cast(BackendInfo, cast(Any, backend).info())
    return _relaying(hooks, info.asynchronous)(backend)
