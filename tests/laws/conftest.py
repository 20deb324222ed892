"""The stages on which the laws are tried."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from contextlib import ExitStack
from types import ModuleType

import pytest

from coatcheck._credentials import peppers
from stages import EXAMPLES, LEAST, SUBJECTS, Stage, Subject
from zoo import tests_of


@pytest.fixture(scope="session", autouse=True)
def _peppers_are_stretched_once() -> Iterator[None]:
    """Stretching takes 30 ms and is a pure function; these tests open hundreds of managers."""
    stretch = peppers._stretch
    cached = functools.cache(lambda phrase: stretch(peppers.Secret(phrase)))
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(peppers, "_stretch", lambda phrase: cached(phrase.reveal()))
        yield


@pytest.fixture(scope="session")
def _stages(
    _peppers_are_stretched_once: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Subject, Stage]]:
    with ExitStack() as stack:

        class Stages(dict[Subject, Stage]):
            def __missing__(self, subject: Subject) -> Stage:
                directory = tmp_path_factory.mktemp("stage")
                self[subject] = stack.enter_context(subject.stage(directory))
                return self[subject]

        yield Stages()


@pytest.fixture(params=SUBJECTS, ids=str)
def stage(request: pytest.FixtureRequest, _stages: dict[Subject, Stage]) -> Iterator[Stage]:
    """An empty stage of each correct kind. It is kept, since preparing a store takes time."""
    stage = _stages[request.param]
    stage.clear()
    stage.wanted = _share(request.module, stage.subject)
    before = stage.examples
    yield stage
    number = request.module.__name__.rpartition("test_law_")[2][:2]
    request.node.user_properties.append(
        ("examples", (number, stage.subject.backend, stage.examples - before))
    )


def _share(module: ModuleType, subject: Subject) -> int:
    """What is wanted of each test, so that those of a law do enough under all managers together."""
    kinds = sum(other.backend == subject.backend for other in SUBJECTS)
    tests = len(tests_of(vars(module))) if "test_law_" in module.__name__ else EXAMPLES
    return max(LEAST, math.ceil(EXAMPLES / tests / kinds))
