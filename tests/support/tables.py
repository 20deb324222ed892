"""What a run has tried, in tables at its end; and too little of it fails the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from coatcheck_conformance.laws import LAWS
from stages import BACKENDS, EXAMPLES


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Too few examples of a law are a failure, if all tests of the laws did run and pass."""
    if session.exitstatus == pytest.ExitCode.OK and list(_missing(session.config)):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """How many examples of each law were tried on each backend, and what tests have to tell."""
    examples = _examples(config)
    if examples:
        terminalreporter.section("examples of each law")
        titles = {str(law): f"{number:02}" for number, law in LAWS.items()}
        titles["field rules and interplay"] = ""
        rows = {title: [examples[law, name] for name in BACKENDS] for title, law in titles.items()}
        _write(terminalreporter, BACKENDS, {title: row for title, row in rows.items() if any(row)})
        for line in _missing(config):
            terminalreporter.write_line(line, red=True)
    told = [value for name, value in _told(config) if name == "table"]
    for title in dict.fromkeys(title for title, _, _ in told):
        columns = {subject: counts for other, subject, counts in told if other == title}
        kinds = dict.fromkeys(kind for counts in columns.values() for kind in counts)
        terminalreporter.section(title)
        rows = {kind: [counts.get(kind, 0) for counts in columns.values()] for kind in kinds}
        _write(terminalreporter, columns, rows)


def _write(terminalreporter: Any, columns: Iterable[str], rows: dict[str, list[int]]) -> None:
    terminalreporter.write_line(" " * 38 + "".join(f"{name:>20}" for name in columns))
    for title, numbers in rows.items():
        terminalreporter.write_line(f"{title:<38}" + "".join(f"{number:>20}" for number in numbers))


def _told(config: pytest.Config) -> list[tuple[str, Any]]:
    """What the tests have noted."""
    stats = config.pluginmanager.get_plugin("terminalreporter").stats
    # What a fixture notes at its end is in the report of the teardown, with all the rest.
    reports = [report for report in stats.get("", []) if report.when == "teardown"]
    return [item for report in reports for item in report.user_properties]


def _examples(config: pytest.Config) -> Counter[tuple[str, str]]:
    """By law and backend."""
    examples: Counter[tuple[str, str]] = Counter()
    for name, value in _told(config):
        if name == "examples":
            law, backend, number = value
            examples[law if law.isdigit() else "", backend] += number
    return examples


def _missing(config: pytest.Config) -> Iterator[str]:
    """Of each law and backend with too few examples, a line, if the run was to try them all."""
    laws = Path(__file__).parents[1] / "laws"
    asked = [Path(argument).resolve() for argument in config.args]
    choices = ("keyword", "markexpr", "deselect", "lf", "collectonly")
    if any(config.getoption(choice, None) for choice in choices) or not any(
        path in (laws, *laws.parents) for path in asked
    ):
        return
    examples = _examples(config)
    for number, law in LAWS.items():
        for backend in BACKENDS:
            tried = examples[f"{number:02}", backend]
            if tried < EXAMPLES:
                yield f"{law} was tried {tried} times on {backend}; {EXAMPLES} are wanted"
