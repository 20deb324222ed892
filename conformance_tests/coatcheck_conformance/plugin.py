"""The suite within pytest.

    pytest_plugins = ["coatcheck_conformance.plugin"]     # in conftest.py

Each subclass of `Conformance` gets a test for every check under every manager. A stage is
kept for all tests of a class, since opening a backend takes time. The table at the end of a
run lists what was tried and what was not, and why.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any, Final, cast

import pytest

from .frame.expecting import in_words
from .frame.registry import Check, every_check
from .frame.stage import Stage
from .harness import Face, Harness, NotShown
from .profiles import PROFILES, QUICK
from .report import Outcome, Report, side_by_side
from .running import unshown
from .suite import Conformance

SEED: Final = "coatcheck_conformance_seed"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The profile, and the seed of a run."""
    group = parser.getgroup("coatcheck-conformance", "the conformance suite of coatcheck")
    group.addoption(
        "--conformance-profile",
        choices=tuple(PROFILES),
        default=QUICK.name,
        help="how much is tried of each law (default: quick)",
    )
    group.addoption(
        "--conformance-seed",
        type=int,
        default=None,
        help="from which everything is drawn, as a failure prints it (default: at random)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """All processes of a run draw from one seed."""
    told = getattr(config, "workerinput", {})
    seed = config.getoption("--conformance-seed")
    setattr(config, SEED, told.get(SEED, secrets.randbits(32) if seed is None else seed))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """The seed for a worker of pytest-xdist."""
    node.workerinput[SEED] = getattr(node.config, SEED)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for each check under each manager."""
    if "conformance_check" not in metafunc.fixturenames:
        return
    suite = cast(type[Conformance], metafunc.cls)  # pyright: ignore[reportUnknownMemberType]
    cases = [(check, face) for face in suite.faces for check in every_check()]
    ids = [f"{check.law:02}-{check.name}-{face}" for check, face in cases]
    metafunc.parametrize(("conformance_check", "conformance_face"), cases, ids=ids)


class Stages:
    """The stages of a process, each opened when a test first asks for it."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._rooms = ExitStack()
        self._harnesses: dict[type[Harness], Harness] = {}
        self._stages: dict[tuple[type[Conformance], Face], Stage | Exception] = {}

    def of(self, suite: type[Conformance], face: Face) -> Stage:
        """Raises `NotShown` where the backend cannot be tried under this manager, and what
        opening it raised where it cannot be opened: the same for each test."""
        if (suite, face) not in self._stages:
            self._stages[suite, face] = self._open(suite, face)
        stage = self._stages[suite, face]
        if isinstance(stage, Exception):
            raise stage
        return stage

    def _open(self, suite: type[Conformance], face: Face) -> Stage | Exception:
        if suite.harness not in self._harnesses:
            self._harnesses[suite.harness] = harness = suite.harness()
            self._rooms.callback(harness.close)
        profile = suite.profiles[str(self._config.getoption("--conformance-profile"))]
        seed: int = getattr(self._config, SEED)
        try:
            stage = Stage(self._harnesses[suite.harness], face, profile, seed)
        except Exception as error:  # noqa: BLE001 - for each test to say
            return error
        self._rooms.callback(stage.close)
        return stage

    def close(self) -> None:
        """Everything, in the reverse order."""
        self._rooms.close()


@pytest.fixture(scope="session")
def conformance_stages(pytestconfig: pytest.Config) -> Iterator[Stages]:
    """What the tests of a process share."""
    stages = Stages(pytestconfig)
    try:
        yield stages
    finally:
        stages.close()


@pytest.fixture
def conformance_stage(
    request: pytest.FixtureRequest,
    conformance_stages: Stages,
    conformance_check: Check,
    conformance_face: Face,
) -> Stage:
    """The stage of a test."""
    suite = cast(type[Conformance], request.cls)  # pyright: ignore[reportUnknownMemberType]
    try:
        return conformance_stages.of(suite, conformance_face)
    except NotShown as missing:
        reason = str(missing)
        outcome = unshown(suite.harness, conformance_face, conformance_check, reason)
        request.node.user_properties.append(("conformance", asdict(outcome)))
        pytest.skip(f"not shown: {reason}")
    except Exception as error:  # noqa: BLE001 - no law was broken, since none was tried
        pytest.fail(f"the backend could not be opened: {in_words(error)}", pytrace=False)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """What was tried of each law on each harness, and what was not, and why."""
    reports = reports_of(terminalreporter)
    if not reports:
        return
    terminalreporter.section(f"conformance of {', '.join(sorted(reports))}")
    for line in side_by_side(reports):
        terminalreporter.write_line(line)
    terminalreporter.write_line(f"seed: {getattr(config, SEED)}")


def reports_of(terminalreporter: Any) -> dict[str, Report]:
    """What the run has found, by harness."""
    reports: dict[str, Report] = {}
    every = [each for list_ in terminalreporter.stats.values() for each in list_]
    for report in every:
        # A test's report at its teardown has all its properties, whatever became of it.
        if getattr(report, "when", "") != "teardown":
            continue
        for name, value in report.user_properties:
            if name == "conformance":
                outcome = Outcome.of(value)
                reports.setdefault(outcome.harness, Report()).outcomes.append(outcome)
    return reports
