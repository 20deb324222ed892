"""What a run has tried, in tables at its end; and too little of it fails the run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from coatcheck_conformance import LAWS, QUICK, Report
from coatcheck_conformance.plugin import reports_of
from harnesses import OURS

LEAST = QUICK.examples
"""Of each law on each of our backends."""


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Too few examples of a law are a failure, if the whole suite did run and pass."""
    if session.exitstatus == pytest.ExitCode.OK and list(_missing(session.config)):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """What tests have to tell; the examples of each law stand in the table of the suite."""
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
    stats = _reporter(config).stats
    # What a fixture notes at its end is in the report of the teardown, with all the rest.
    reports = [report for report in stats.get("", []) if report.when == "teardown"]
    return [item for report in reports for item in report.user_properties]


def _reporter(config: pytest.Config) -> Any:
    return config.pluginmanager.get_plugin("terminalreporter")


def _missing(config: pytest.Config) -> Iterator[str]:
    """Of each law and backend with too few examples, a line, if the run was to try them all."""
    suite = Path(__file__).parents[1] / "conformance" / "test_suite.py"
    asked = [Path(argument).resolve() for argument in config.args]
    choices = ("keyword", "markexpr", "deselect", "lf", "collectonly")
    if any(config.getoption(choice, None) for choice in choices) or not any(
        path in (suite, *suite.parents) for path in asked
    ):
        return
    reports = reports_of(_reporter(config))
    for harness in OURS:
        rows = {row.heading: row for row in reports.get(harness.name, Report()).rows()}
        for law in LAWS.values():
            tried = sum(rows[str(law)].examples.values())
            if tried < LEAST:
                yield f"{law} was tried {tried} times on {harness.name}; {LEAST} are wanted"
