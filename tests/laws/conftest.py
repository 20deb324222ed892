"""The stages on which the laws are tried, and the table of what was tried."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from coatcheck._credentials import peppers
from coatcheck_conformance.laws import LAWS
from stages import SUBJECTS, Stage, Subject


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
    before = stage.examples
    yield stage
    number = request.module.__name__.rpartition("test_law_")[2][:2]
    request.node.user_properties.append(
        ("examples", (number, str(stage.subject), stage.examples - before))
    )


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """How many examples of each law were tried on each kind of stage."""
    # What a fixture notes at its end is in the report of the teardown, with all the rest.
    reports = [report for report in terminalreporter.stats.get("", []) if report.when == "teardown"]
    told = [item for report in reports for item in report.user_properties]
    examples: Counter[tuple[str, str]] = Counter()
    for name, value in told:
        if name == "examples":
            law, subject, number = value
            examples[law, subject] += number
    if examples:
        subjects = [str(subject) for subject in SUBJECTS]
        terminalreporter.section("examples of each law")
        terminalreporter.write_line(" " * 36 + "".join(f"{subject:>28}" for subject in subjects))
        for law in sorted({law for law, _ in examples}):
            title = str(LAWS[int(law)]) if law.isdigit() else "field rules and interplay"
            cells = "".join(f"{examples[law, subject]:>28}" for subject in subjects)
            terminalreporter.write_line(f"{title:<36}{cells}")
    _write_tables(terminalreporter, [value for name, value in told if name == "table"])


def _write_tables(terminalreporter: Any, told: list[Any]) -> None:
    """Counts by kind, a column for each subject. A table: title, subject, counts by kind."""
    titles = list(dict.fromkeys(title for title, _, _ in told))
    for title in titles:
        columns = {subject: counts for other, subject, counts in told if other == title}
        terminalreporter.section(title)
        terminalreporter.write_line(" " * 38 + "".join(f"{name:>16}" for name in columns))
        for kind in dict.fromkeys(kind for counts in columns.values() for kind in counts):
            cells = "".join(f"{counts.get(kind, 0):>16}" for counts in columns.values())
            terminalreporter.write_line(f"{kind:<38}{cells}")
