"""Where a check is tried: a harness at work under one of the managers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from typing import Any, Final
from uuid import UUID
from zlib import crc32

from coatcheck import (
    AsyncSessionManager,
    BackendInfo,
    Capability,
    IssueDenied,
    Record,
    SessionManager,
    Where,
)

from ..clock import Clock
from ..faces import awaited
from ..harness import Face, Harness, NotShown
from ..profiles import Profile
from ..relay import relay_over
from .contract import refuse_what_does_not_fit
from .neighbour import Neighbour
from .observers import Asking
from .story import Narrated, Story

PEPPERS: Final = tuple(
    f"pepper number {n}, long enough to be one of the good ones" for n in range(6)
)


class Stage:
    """A backend with a relay in front of it, a clock, and managers of one kind.

    :ivar faces: how many managers share what the profile wants.
    :ivar wanted: examples of each property.
    :ivar examples: how many were tried to the end.
    :ivar seed: from which everything is drawn.
    """

    def __init__(self, harness: Harness, face: Face, profile: Profile, seed: int = 0) -> None:
        self.harness, self.face, self.profile = harness, face, profile
        self.asynchronous = face is Face.ASYNC
        self.clock, self.story = Clock(), Story()
        self.wanted = profile.examples
        self.examples = 0
        self.faces = len(Face)
        self.seed = self.run_seed = seed
        self._managers: dict[tuple[tuple[str, Any], ...], Any] = {}
        self._remembered: dict[Any, Any] = {}
        self._rooms = ExitStack()
        self.backend: Any = self._opened()
        said = self._said()
        refuse_what_does_not_fit(self.backend)
        self.info: BackendInfo = said or self.backend.info()
        if self.info.asynchronous and not self.asynchronous:
            raise NotShown("the backend is asynchronous only")
        self.relay = relay_over(self.backend)
        try:
            self.manager()
        except BaseException:
            self.close()
            raise

    def _opened(self) -> Any:
        if self.asynchronous:
            try:
                return self.harness.open_async()
            except NotShown:
                pass
        return self.harness.open()

    def _said(self) -> BackendInfo | None:
        """Its first answer, with which a check compares the later ones."""
        with suppress(Exception):  # the core says better what is wrong with it
            info: BackendInfo = self.backend.info()
            return info
        return None

    def begin(self, check: str, wanted: int, faces: int = len(Face)) -> None:
        """The next check, which finds the stage empty."""
        self.clear()
        self.wanted, self.examples, self.faces = wanted, 0, faces
        self.seed = crc32(f"{self.run_seed} {check} {self.face}".encode())

    @cached_property
    def runner(self) -> asyncio.Runner:
        """The event loop of the asynchronous managers."""
        return self._rooms.enter_context(asyncio.Runner())

    def manager(self, **options: Any) -> Any:
        """A manager with these options, the same one for the same options; its calls block."""
        key = tuple(sorted(options.items()))
        if key not in self._managers:
            self._managers[key] = self._open(options)
        return self._managers[key]

    def _open(self, options: dict[str, Any]) -> Any:
        return self._managing(self.relay, self._rooms, self.asynchronous, options)

    def _managing(
        self, backend: Any, rooms: ExitStack, asynchronous: bool, options: dict[str, Any]
    ) -> Any:
        """A manager over this backend, closed with the rooms."""
        chosen: dict[str, Any] = {"pepper": PEPPERS[0], "clock": self.clock, **options}
        if not asynchronous:
            manager = SessionManager(backend, **chosen)
            rooms.callback(manager.close)
            return Narrated(manager, self.story, None)
        waiting = AsyncSessionManager(backend, **chosen)
        self.wait(waiting.start())
        rooms.callback(lambda: self.wait(waiting.close()))
        return Narrated(waiting, self.story, self.runner)

    @contextmanager
    def visitor(self, backend: Any = None, **options: Any) -> Generator[Any]:
        """A manager on a backend of its own over the same store, closed when it leaves."""
        chosen = self.fresh_backend() if backend is None else backend
        with ExitStack() as rooms:
            yield self._managing(chosen, rooms, self.asynchronous, options)

    def fresh_backend(self) -> Any:
        """Another backend on the same store, which may be closed."""
        backend = self._opened()
        if backend is self.backend:
            raise NotShown("the harness gives the same backend each time")
        return backend

    def wait(self, awaitable: Any) -> Any:
        """What it gives, on the loop of the asynchronous managers."""
        return awaited(self.runner.get_loop(), awaitable)

    def remembered(self, name: object, make: Callable[[], Any]) -> Any:
        """What `make` gave the first time that it was asked under this name."""
        if name not in self._remembered:
            self._remembered[name] = make()
        return self._remembered[name]

    @cached_property
    def elsewhere(self) -> Any:
        """A manager as another process would have it: on a backend of its own where the store
        is shared. It can be used while a call of another manager is under way."""
        is_shared = Capability.SHARED in self.info.capabilities
        other: Any = self.harness.open() if is_shared else self.backend
        return self._managing(other, self._rooms, other.info().asynchronous, {})

    @cached_property
    def neighbour(self) -> Any:
        """Another process on the same store, where the harness can name it to one."""
        self.need(Capability.SHARED)
        neighbour = Neighbour(self.harness.second_process(), PEPPERS[0], self.clock)
        self._rooms.callback(neighbour.close)
        return neighbour

    @property
    def scans(self) -> bool:
        """Whether the backend finds sessions without a user id."""
        return Capability.SCAN in self.info.capabilities

    def need(self, capability: Capability) -> None:
        """Raise `NotShown` if the backend does not declare it."""
        if capability not in self.info.capabilities:
            raise NotShown(f"the backend does not declare `{capability}`")

    def has(self, hook: str) -> bool:
        """Whether the backend has this optional hook."""
        return hasattr(self.backend, hook)

    def hook_of(self, call: str) -> str:
        """By which hook the store is asked in this call of a manager, at the decisive step."""
        hooks = {
            "update_all": ("update_where", "update"),
            "revoke_all": ("delete_where", "delete"),
            "purge": ("purge", "delete"),
            "count": ("count", "find"),
            "pepper_status": ("pepper_counts", "find"),
            "revoke": ("delete", "delete"),
        }
        own, composed = hooks.get(call, (call, call))
        return own if self.has(own) else composed

    def look(self, hook: str, *args: Any) -> Any:
        """A hook that only reads, past core and relay, and not worth telling."""
        answer = getattr(self.backend, hook)(*args)
        return self.wait(answer) if self.info.asynchronous else answer

    def ask(self, hook: str, *args: Any) -> Any:
        """A hook of the backend itself, past core and relay."""
        try:
            answer = self.look(hook, *args)
        except Exception as error:
            self.story.tell(f"the hook {hook}", args, {}, error)
            raise
        self.story.tell(f"the hook {hook}", args, {}, answer)
        return answer

    def record(self, session_id: UUID) -> Any:
        """The stored row, behind the manager's back; `None` if there is none."""
        return self.look("load", session_id)

    def pepper_id_of(self, pepper: str) -> str:
        """Under which id this pepper writes."""

        def asked() -> str:
            asking = Asking()
            options = {"pepper": pepper, "plugins": (asking,)}
            # On a relay of its own, since what the stage's relay has seen is looked at.
            relay = relay_over(self.backend)
            manager = self._managing(relay, self._rooms, self.asynchronous, options)
            with suppress(IssueDenied):
                manager.issue("nobody", method="asking")
            self.story.forget()
            return asking.pepper_id

        return str(self.remembered(("pepper", pepper), asked))

    def put(self, record: Record) -> None:
        """Store a row behind the manager's back, in place of any with its id."""
        self.ask("delete", record.id, Where())
        self.ask("insert", record)

    def meanwhile(self, hook: str, action: Callable[[], object]) -> None:
        """Let something happen just before the next call of a hook."""
        self.relay.before[hook] = action

    def clear(self) -> None:
        """No sessions, the clock at its start, nothing set up in the relay, nothing told."""
        self.relay.reset()
        self.clock.reset()
        self.harness.reset()
        self.story.begin()

    def at_close(self, action: Callable[[], object]) -> None:
        """Do this before the managers are closed."""
        self._rooms.callback(action)

    def close(self) -> None:
        """Close every manager, and with them the backend."""
        self._rooms.close()
