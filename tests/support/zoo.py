"""Broken backends and broken cores, each one change away from a correct one.

Each says which law it breaks; the meta-test of that law requires that the law's own
tests fail on it.
"""

from __future__ import annotations

import importlib
import inspect
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hypothesis.errors import HypothesisException

from stages import FAILURES, Subject

BUDGET = 100
"""Examples in which each must be found out."""
FEW = 20
"""Examples that all tests of the law try first: the right one finds most animals in these."""

_FILES = (
    "broken_values",
    "broken_stores",
    "broken_filters",
    "broken_flows",
    "broken_credentials",
    "broken_sqlite",
    "broken_faces",
)


@dataclass(frozen=True)
class Broken:
    """One animal."""

    law: int
    subject: Subject

    def __str__(self) -> str:
        return self.subject.name

    def is_rejected_by(self, tests: Mapping[str, Any], directory: Path) -> BaseException | None:
        """What the first of the tests to fail on it raised; each takes a stage and nothing else.

        Anything but a failed assertion or one of coatcheck's errors is an error of the tests.
        """
        for budget, law in itertools.product((FEW, BUDGET), tests_of(tests)):
            place = directory / f"{law.__name__} {budget}"
            place.mkdir()
            with replace(self.subject, budget=budget).stage(place) as stage:
                try:
                    law(stage)
                except (*FAILURES, HypothesisException) as error:
                    return stage.rejected or error
        return None


def tests_of(names: Mapping[str, Any]) -> list[Callable[..., None]]:
    """The tests of a law in its module: those that take a stage and nothing else."""
    tests = [
        test
        for name, test in names.items()
        if name.startswith("test_") and list(inspect.signature(test).parameters) == ["stage"]
    ]
    assert tests, "there is a test of the law"
    return tests


ZOO: list[Broken] = []


def broken_store(law: int, name: str, **options: Any) -> Callable[[type], type]:
    """Decorates a backend class."""

    def add(backend: type) -> type:
        _add(law, name, open_backend=lambda _: backend(), **options)
        return backend

    return add


def broken_core(law: int, name: str, *targets: str, **options: Any) -> Callable[[Any], Any]:
    """Decorates what is to stand in the place of each of the dotted names in `targets`."""

    def add(replacement: Any) -> Any:
        _add(law, name, patches=tuple((target, replacement) for target in targets), **options)
        return replacement

    return add


def broken_subject(law: int, name: str, **options: Any) -> None:
    """Adds any other subject."""
    _add(law, name, **options)


def _add(law: int, name: str, **options: Any) -> None:
    ZOO.append(Broken(law, Subject(name, budget=BUDGET, **options)))


def breaking(law: int) -> list[Broken]:
    """All that are said to break this law."""
    for name in _FILES:
        importlib.import_module(name)
    return [broken for broken in ZOO if broken.law == law]
