"""Where a law is tried: a backend, a relay in front of it, a clock, and managers of one kind.

A law is a plain function of a `Stage`, so the same function runs over a correct
backend and over a broken one.
"""

from __future__ import annotations

import asyncio
import os
import pkgutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, given, settings

import stores
from async_backend import AsyncBackend
from coatcheck import AsyncSessionManager, CoatcheckError, Record, SessionManager, Where
from coatcheck_backends.memory import MemoryBackend
from coatcheck_conformance.clock import Clock
from coatcheck_conformance.faces import BlockingManager
from coatcheck_conformance.relay import relay_over
from plain_backend import PlainBackend

PEPPERS = tuple(f"pepper number {n}, long enough to be one of the good ones" for n in range(6))
EXAMPLES = int(os.environ.get("COATCHECK_EXAMPLES", "100"))
"""Examples of each law on each backend; more for a thorough run."""
LEAST = 10
"""Examples of each test of a law on each backend under each manager."""


FAILURES = (AssertionError, pytest.fail.Exception, CoatcheckError)
"""What a law raises of a subject that breaks it; anything else is an error of the tests."""


@dataclass(frozen=True)
class Subject:
    """A kind of backend under one of the managers, correct or broken.

    :param open_backend: a new backend, given an empty directory.
    :param open_sync: if that one is asynchronous, a synchronous one over the same sessions.
    :param placed: what a directory needs before a backend is opened, such as a database.
    :param shared: a second backend over the same directory reaches the same sessions.
    :param patches: dotted names in the core, and what stands there instead.
    :param budget: how many examples a law gets to reject it; `None` for a correct one.
    """

    name: str
    open_backend: Callable[[Path], object] = lambda _: MemoryBackend()
    open_sync: Callable[[Path], object] | None = None
    placed: stores.Place = lambda _: nullcontext()
    asynchronous: bool = False
    required_only: bool = False
    shared: bool = False
    patches: tuple[tuple[str, object], ...] = ()
    budget: int | None = None

    def __str__(self) -> str:
        return self.name

    @property
    def backend(self) -> str:
        """The backend's name, which subjects under several managers share."""
        return self.name.partition(",")[0]

    @contextmanager
    def stage(self, directory: Path) -> Iterator[Stage]:
        """Open the backend and the core as this subject has them."""
        with ExitStack() as stack:
            for target, replacement in self.patches:
                for place, name in _places(target):
                    stack.enter_context(patch.object(place, name, replacement))
            yield stack.enter_context(self.stage_as_it_is(directory))

    @contextmanager
    def stage_as_it_is(self, directory: Path) -> Iterator[Stage]:
        """The same without a change of the core."""
        with self.placed(directory), closing(Stage(self, directory)) as stage:
            yield stage

    def counterpart(self) -> Subject:
        """The same kind of backend under the other manager."""
        opener = self.open_sync or self.open_backend
        other = not self.asynchronous
        return replace(self, asynchronous=other, open_backend=opener, open_sync=None)


def _places(target: str) -> list[tuple[object, str]]:
    """Where in the core the function with this dotted name is found: in its own class, or in
    every module that has imported it."""
    owner, _, name = target.rpartition(".")
    place = pkgutil.resolve_name(owner)
    if isinstance(place, type):
        return [(place, name)]
    original = getattr(place, name)
    modules = [module for key, module in sys.modules.items() if key.split(".")[0] == "coatcheck"]
    return [(m, key) for m in modules for key, value in vars(m).items() if value is original]


def _subjects(backend: str, *kinds: dict[str, Any]) -> tuple[Subject, ...]:
    """A backend under the synchronous manager and under the asynchronous one."""
    faces = ("sync", "async", "asyncpg")
    return tuple(
        Subject(f"{backend}, {face}", **options, asynchronous=face != "sync")
        for face, options in zip(faces, kinds, strict=False)
    )


_POSTGRESQL: dict[str, Any] = {"placed": stores.on_postgresql, "shared": True}
_MONGODB: dict[str, Any] = {"placed": stores.on_mongodb, "shared": True}
SUBJECTS = (
    *_subjects("memory", {}, {}),
    *_subjects(
        "required hooks only",
        {"required_only": True},
        {"required_only": True, "open_backend": stores.open_async_plain,
         "open_sync": stores.open_plain, "shared": True},
    ),
    *_subjects("sqlite", *[{"open_backend": stores.open_sqlite, "shared": True}] * 2),
    *_subjects(
        "postgresql",
        {**_POSTGRESQL, "open_backend": stores.open_postgresql},
        {**_POSTGRESQL, "open_backend": stores.open_async_postgresql,
         "open_sync": stores.open_postgresql},
        {**_POSTGRESQL, "open_backend": stores.open_asyncpg, "open_sync": stores.open_postgresql},
    ),
    *_subjects(
        "mongodb",
        {**_MONGODB, "open_backend": stores.open_mongodb},
        {**_MONGODB, "open_backend": stores.open_async_mongodb, "open_sync": stores.open_mongodb},
    ),
)  # fmt: skip
BACKENDS = tuple(dict.fromkeys(subject.backend for subject in SUBJECTS))


@dataclass
class Stage:
    """One subject at work. Use `for_all` for a property: each example finds it empty."""

    subject: Subject
    directory: Path
    clock: Clock = field(default_factory=Clock)
    wanted: int = EXAMPLES
    """Examples of each property, on a correct subject."""
    examples: int = 0
    """How many examples were tried to the end."""
    rejected: BaseException | None = None
    """The first thing that an example raised."""

    def __post_init__(self) -> None:
        self.backend = self.subject.open_backend(self.directory)
        self.relay = relay_over(self.backend, required_only=self.subject.required_only)
        self._waits = self.backend.info().asynchronous
        self._managers: dict[tuple[tuple[str, Any], ...], Any] = {}
        self._remembered: dict[str, Any] = {}
        self._rooms = ExitStack()
        try:
            self.manager()
        except BaseException:
            self.close()
            raise

    @cached_property
    def runner(self) -> asyncio.Runner:
        """The event loop of the asynchronous managers."""
        return self._rooms.enter_context(asyncio.Runner())

    def manager(self, **options: Any) -> Any:
        """A manager with these options, the same one for the same options."""
        key = tuple(sorted(options.items()))
        if key not in self._managers:
            self._managers[key] = self._open(options)
        return self._managers[key]

    def _open(self, options: dict[str, Any]) -> Any:
        chosen = {"pepper": PEPPERS[0], "clock": self.clock, **options}
        if not self.subject.asynchronous:
            manager = SessionManager(self.relay, **chosen)
            self._rooms.callback(manager.close)
            return manager
        face = BlockingManager(AsyncSessionManager(self.relay, **chosen), self.runner)
        face.start()
        self._rooms.callback(face.close)
        return face

    def remembered(self, name: str, make: Callable[[], Any]) -> Any:
        """What `make` gave the first time that it was asked under this name."""
        if name not in self._remembered:
            self._remembered[name] = make()
        return self._remembered[name]

    @cached_property
    def elsewhere(self) -> SessionManager:
        """A manager as another process would have it; without a relay, and synchronous, so
        that it can be used while a call of another manager is under way."""
        manager = SessionManager(self._beside, pepper=PEPPERS[0], clock=self.clock)
        self._rooms.callback(manager.close)
        return manager

    @cached_property
    def _beside(self) -> Any:
        """A synchronous backend that reaches the same sessions."""
        opener = self.subject.open_sync or self.subject.open_backend
        return opener(self.directory) if self.subject.shared else self.backend

    def ask(self, hook: str, *args: Any) -> Any:
        """A hook of the backend itself, past core and relay.

        While the loop is busy with a call, the synchronous backend stands in for an
        asynchronous one.
        """
        if not self._waits:
            return getattr(self.backend, hook)(*args)
        loop = self.runner.get_loop()
        if loop.is_running():
            assert self.elsewhere, "it is prepared"
            return getattr(self._beside, hook)(*args)
        return loop.run_until_complete(getattr(self.backend, hook)(*args))

    def record(self, session_id: UUID) -> Record | None:
        """The stored row, behind the manager's back."""
        return self.ask("load", session_id)

    def put(self, record: Record) -> None:
        """Store a row behind the manager's back, in place of any with its id."""
        self.ask("delete", record.id, Where())
        self.ask("insert", record)

    def meanwhile(self, hook: str, action: Callable[[], object]) -> None:
        """Let something happen just before the next call of a hook."""
        self.relay.before[hook] = action

    def clear(self) -> None:
        """No sessions, the clock at its start, nothing set up in the relay."""
        self.relay.reset()
        self.clock.reset()
        match self.backend:
            case MemoryBackend():
                self.backend._records.clear()  # even where its own hooks are broken
            case AsyncBackend(store=PlainBackend(rows=rows)) | PlainBackend(rows=rows):
                rows.clear()
            case _:
                self.ask("delete_where", Where(), frozenset[UUID]())

    def at_close(self, action: Callable[[], object]) -> None:
        """Do this before the managers are closed."""
        self._rooms.callback(action)

    def close(self) -> None:
        """Close every manager, and with them the backend."""
        self._rooms.close()

    @property
    def budget(self) -> settings:
        """For a correct subject as many examples as are wanted; for a broken one few, always
        the same, and no time spent on making them smaller."""
        common = settings(
            deadline=None,
            max_examples=self.wanted,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        if self.subject.budget is None:
            return common
        return settings(
            common,
            max_examples=self.subject.budget,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            report_multiple_bugs=False,
            verbosity=Verbosity.quiet,
        )


def for_all(stage: Stage, **strategies: Any) -> Callable[[Callable[..., None]], None]:
    """Decorate a function with the strategies of its arguments, and it is tried at once.

    Every example finds the stage empty. On a correct subject fewer examples than were
    asked for are a failure.
    """

    def run(property_: Callable[..., None]) -> None:
        before = stage.examples

        def example(**drawn: Any) -> None:
            stage.clear()
            try:
                property_(**drawn)
            except FAILURES as error:
                stage.rejected = stage.rejected or error
                raise
            stage.examples += 1

        example.__name__ = property_.__qualname__.partition(".")[0]
        example.__module__ = property_.__module__
        stage.budget(given(**strategies)(example))()
        if stage.subject.budget is None:
            tried = stage.examples - before
            assert tried >= stage.wanted, f"only {tried} examples: the strategies give no more"

    return run


LONG = timedelta(days=365)
