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
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, given, settings

from coatcheck import AsyncSessionManager, CoatcheckError, Record, Secret, SessionManager, Where
from coatcheck_backends.memory import MemoryBackend
from coatcheck_conformance.clock import Clock
from coatcheck_conformance.faces import BlockingManager
from coatcheck_conformance.relay import RequiredOnly, relay_over

PEPPERS = tuple(f"pepper number {n}, long enough to be one of the good ones" for n in range(6))
EXAMPLES = int(os.environ.get("COATCHECK_EXAMPLES", "100"))
"""Examples of each law on each backend and manager; more for a thorough run."""


FAILURES = (AssertionError, pytest.fail.Exception, CoatcheckError)
"""What a law raises of a subject that breaks it; anything else is an error of the tests."""


@dataclass(frozen=True)
class Subject:
    """A kind of backend under one of the managers, correct or broken.

    :param open_backend: a new backend, given an empty directory.
    :param shared: a second backend over the same directory reaches the same sessions.
    :param patches: dotted names in the core, and what stands there instead.
    :param budget: how many examples a law gets to reject it; `None` for a correct one.
    """

    name: str
    open_backend: Callable[[Path], object] = lambda _: MemoryBackend()
    asynchronous: bool = False
    required_only: bool = False
    shared: bool = False
    patches: tuple[tuple[str, object], ...] = ()
    budget: int | None = None

    def __str__(self) -> str:
        return self.name

    @contextmanager
    def stage(self, directory: Path) -> Iterator[Stage]:
        """Open the backend and the core as this subject has them."""
        with ExitStack() as stack:
            for target, replacement in self.patches:
                for place, name in _places(target):
                    stack.enter_context(patch.object(place, name, replacement))
            stage = Stage(self, directory)
            stack.callback(stage.close)
            yield stage


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


def open_sqlite(directory: Path) -> object:
    """A backend over a real file."""
    from coatcheck_backends import sqlite

    return sqlite.open_backend(Secret(sqlite_url(directory)))


def sqlite_url(directory: Path) -> str:
    return f"sqlite:///{directory / 'sessions.db'}"


SUBJECTS = tuple(
    Subject(f"{name}, {'async' if asynchronous else 'sync'}", **options, asynchronous=asynchronous)
    for name, options in {
        "memory": {},
        "required hooks only": {"required_only": True},
        "sqlite": {"open_backend": open_sqlite, "shared": True},
    }.items()
    for asynchronous in (False, True)
)


@dataclass
class Stage:
    """One subject at work. Use `for_all` for a property: each example finds it empty."""

    subject: Subject
    directory: Path
    clock: Clock = field(default_factory=Clock)
    examples: int = 0
    """How many examples were tried to the end."""
    rejected: BaseException | None = None
    """The first thing that an example raised."""

    def __post_init__(self) -> None:
        self.backend = self.subject.open_backend(self.directory)
        cover = RequiredOnly if self.subject.required_only else relay_over
        self.relay: RequiredOnly = cover(self.backend)
        self._managers: dict[tuple[tuple[str, Any], ...], Any] = {}
        self._remembered: dict[str, Any] = {}
        self._rooms = ExitStack()
        self.manager()

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
        shared = self.subject.shared
        backend = self.subject.open_backend(self.directory) if shared else self.backend
        manager = SessionManager(backend, pepper=PEPPERS[0], clock=self.clock)
        self._rooms.callback(manager.close)
        return manager

    def ask(self, hook: str, *args: Any) -> Any:
        """A hook of the backend itself, past core and relay."""
        return getattr(self.backend, hook)(*args)

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
        if isinstance(self.backend, MemoryBackend):
            self.backend._records.clear()  # even where its own hooks are broken
        else:
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
            max_examples=EXAMPLES,
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
            assert tried >= EXAMPLES, f"only {tried} examples: the strategies give no more"

    return run


LONG = timedelta(days=365)
