"""Broken backends and broken cores, each one change away from a correct one.

Each declares which laws it breaks, before anybody tries it: the report of the suite must name
one of them, and none that is not declared.
"""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Callable, Iterator, Set
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from coatcheck import hookimpl
from coatcheck_conformance import Face, Harness
from coatcheck_conformance.relay import OPTIONAL_HOOKS, REQUIRED_HOOKS

from .harnesses import InMemory

BOTH = tuple(Face)
Make = Callable[[], Harness]


@dataclass(frozen=True)
class Broken:
    """One animal.

    :param laws: the numbers of those that it breaks; 0 for what is of no law alone.
    :param make: its harness.
    :param patches: dotted names in the core, and what stands there instead.
    :param faces: under which managers it is tried.
    """

    name: str
    laws: frozenset[int]
    make: Make
    patches: tuple[tuple[str, object], ...] = ()
    faces: tuple[Face, ...] = (Face.SYNC,)

    def __str__(self) -> str:
        return self.name

    @contextmanager
    def at_work(self) -> Iterator[Harness]:
        """Its harness, with the core as it has it."""
        with ExitStack() as stack:
            for target, replacement in self.patches:
                for place, name in _places(target):
                    stack.enter_context(patch.object(place, name, replacement))
            yield stack.enter_context(closing(self.make()))


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


ZOO: list[Broken] = []


def broken(name: str, laws: Set[int], make: Make, **options: Any) -> None:
    """Adds an animal."""
    ZOO.append(Broken(name, frozenset(laws), make, **options))


def broken_store(
    laws: Set[int], name: str, *, required_only: bool = False, **options: Any
) -> Callable[[type], type]:
    """Decorates a backend class, made from the memory backend."""

    def make(backend: type) -> Harness:
        return InMemory(marked(backend)(), required_only=required_only)

    def add(backend: type) -> type:
        broken(name, laws, lambda: make(backend), **options)
        return backend

    return add


def marked(backend: type[Any]) -> type[Any]:
    """The same class, every hook of which bears the mark that pluggy looks for."""
    for kind in backend.__mro__:
        for hook in (REQUIRED_HOOKS | OPTIONAL_HOOKS | {"bound"}) & vars(kind).keys():
            hookimpl(vars(kind)[hook])
    return backend


def broken_core(
    laws: Set[int], name: str, *targets: str, make: Make = InMemory, **options: Any
) -> Callable[[Any], Any]:
    """Decorates what is to stand in the place of each of the dotted names in `targets`."""

    def add(replacement: Any) -> Any:
        patches = tuple((target, replacement) for target in targets)
        broken(name, laws, make, patches=patches, **options)
        return replacement

    return add
