"""What a run has found, and how it is told."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from .laws import LAWS

KEPT: Final = "kept"
BROKEN: Final = "BROKEN"
NOT_SHOWN: Final = "not shown"
NOT_ASKED: Final = "not asked for"
NOT_TRIED: Final = "not tried"
"""Of any law, since no backend was opened."""
DOOR: Final = "opening and closing"
"""The heading of what happens before the first check and after the last."""


@dataclass(frozen=True)
class Failure:
    """How a law was broken.

    :param law: its number; 0 if no single law can be named.
    :param words: the law, or of no law alone the check.
    :param message: what should have been so; empty where an exception came instead.
    :param expected: the value that the law demands, as text; empty where there is none to show.
    :param actual: the value that came.
    :param drawn: what was drawn for the example, by name.
    :param history: the shortest history found, a line for each call.
    :param error: what was raised, with its traceback, where it is no answer but an exception.
    """

    law: int
    words: str
    message: str
    expected: str
    actual: str
    drawn: dict[str, str]
    history: list[str]
    error: str


@dataclass(frozen=True)
class Outcome:
    """What became of one check under one manager.

    :param examples: how many were tried to the end: examples, steps, histories or orders.
    :param not_shown: why it could not be tried; empty if it was.
    :param seconds: how long it took.
    """

    harness: str
    face: str
    law: int
    heading: str
    check: str
    examples: int
    seconds: float
    seed: int
    not_shown: str = ""
    failure: Failure | None = None

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Outcome:
        """The outcome that `dataclasses.asdict` took apart, for instance in another process."""
        failure: dict[str, Any] | None = plain["failure"]
        whole: dict[str, Any] = {**plain, "failure": failure and Failure(**failure)}
        return cls(**whole)

    @property
    def state(self) -> str:
        """`kept`, `BROKEN` or `not shown`."""
        if self.failure is not None:
            return BROKEN
        return NOT_SHOWN if self.not_shown else KEPT


@dataclass(frozen=True)
class Row:
    """One law in the table: its checks under all managers together."""

    heading: str
    state: str
    examples: dict[str, int]
    not_shown: list[str]

    @property
    def has_outcomes(self) -> bool:
        """Whether any of its checks was tried, or could not be."""
        return self.not_shown not in ([NOT_ASKED], [NOT_TRIED])


@dataclass
class Report:
    """The outcomes of a run, in their order."""

    outcomes: list[Outcome] = field(default_factory=list[Outcome])

    @property
    def ok(self) -> bool:
        """No law was found broken, and some were tried."""
        return any(o.examples for o in self.outcomes) and not self.failures

    @property
    def failures(self) -> list[Outcome]:
        """Those that found a law broken."""
        return [outcome for outcome in self.outcomes if outcome.failure is not None]

    @property
    def broken(self) -> set[int]:
        """The numbers of the laws that were found broken."""
        return {failure.law for o in self.outcomes if (failure := o.failure) is not None}

    def rows(self) -> list[Row]:
        """A row for each law, tried or not."""
        headings = [str(law) for law in LAWS.values()]
        headings += [o.heading for o in self.outcomes if o.heading not in headings]
        return [self._row(heading) for heading in dict.fromkeys(headings)]

    def _row(self, heading: str) -> Row:
        mine = [outcome for outcome in self.outcomes if outcome.heading == heading]
        faces = {outcome.face: 0 for outcome in self.outcomes}
        for outcome in mine:
            faces[outcome.face] += outcome.examples
        states = {outcome.state for outcome in mine}
        state = next((each for each in (BROKEN, KEPT) if each in states), NOT_SHOWN)
        return Row(heading, state, faces, _missing(mine) if mine else [self._why_none])

    @property
    def _why_none(self) -> str:
        """Why there is no outcome of a law."""
        is_open = any(outcome.heading != DOOR for outcome in self.outcomes)
        return NOT_ASKED if is_open else NOT_TRIED

    def table(self) -> list[str]:
        """The rows as lines: the law, its state, the examples under each manager, what was
        not shown and why."""
        rows = self.rows()
        faces = list(rows[0].examples)
        lines = ["".join([f"{'law':<34}", f"{'':<11}", *(f"{face:>10}" for face in faces)])]
        for row in rows:
            if not row.has_outcomes:
                continue
            numbers = (f"{row.examples[face]:>10}" for face in faces)
            lines.append("".join([f"{row.heading:<34}", f"{row.state:<11}", *numbers]))
            lines += [f"    not shown: {each}" for each in row.not_shown]
        number = sum(not row.has_outcomes for row in rows)
        if number:
            lines.append(f"{self._why_none}: {number} {'law' if number == 1 else 'laws'}")
        return lines

    def to_json(self) -> str:
        """Everything, for programs, on one line."""
        told: dict[str, Any] = {
            "ok": self.ok,
            "broken": sorted(self.broken),
            "laws": [asdict(row) for row in self.rows()],
            "outcomes": [{**asdict(o), "state": o.state} for o in self.outcomes],
        }
        return json.dumps(told)


WIDTH: Final = 12


def side_by_side(reports: Mapping[str, Report]) -> list[str]:
    """Several harnesses in one table: the examples of each law, under all managers together."""
    if len(reports) == 1:
        return next(iter(reports.values())).table()
    names = sorted(reports)
    columns = {name: {row.heading: row for row in reports[name].rows()} for name in names}
    lines = ["".join([f"{'law':<34}", *(f"{name:>{_width(name)}}" for name in names)])]
    reasons: dict[str, list[str]] = {}
    for heading in dict.fromkeys(heading for column in columns.values() for heading in column):
        asked = {name: columns[name][heading] for name in names if heading in columns[name]}
        asked = {name: row for name, row in asked.items() if row.has_outcomes}
        if not asked:
            continue
        cells = (f"{_cell(asked.get(name)):>{_width(name)}}" for name in names)
        lines.append("".join([f"{heading:<34}", *cells]))
        for name, row in asked.items():
            for each in row.not_shown:
                number = heading.partition(",")[0]
                reasons.setdefault(f"{number}, {each}", []).append(name)
    shown = (f"not shown of {', '.join(on)}: {each}" for each, on in reasons.items())
    return [*lines, *shown]


def _width(name: str) -> int:
    return max(WIDTH, len(name) + 2)


def _cell(row: Row | None) -> str:
    if row is None:
        return ""
    return str(sum(row.examples.values())) if row.state == KEPT else row.state


def _missing(outcomes: list[Outcome]) -> list[str]:
    """What was not shown, and why: each check once, with the managers where it was not."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for outcome in outcomes:
        if outcome.not_shown:
            reasons.setdefault((outcome.check, outcome.not_shown), []).append(outcome.face)
    return [
        f"{check.replace('_', ' ')} ({', '.join(faces)}): {reason}"
        for (check, reason), faces in reasons.items()
    ]


def told(outcome: Outcome, rerun: str) -> Iterable[str]:
    """A broken law in lines: the law, the shortest history, what was expected, what came, and
    how to run just that again."""
    failure = outcome.failure
    if failure is None:
        return
    title = str(LAWS[failure.law]) if failure.law else outcome.heading
    yield f"BROKEN: {title} ({outcome.harness}, {outcome.face})"
    if failure.law:
        yield f"  the law:   {failure.words}"
    yield f"  the check: {outcome.check.replace('_', ' ')}"
    if failure.history:
        yield "  history:"
    yield from (f"    {number}. {line}" for number, line in enumerate(failure.history, 1))
    if failure.drawn:
        yield "  drawn:     " + ", ".join(
            f"{name}={value}" for name, value in failure.drawn.items()
        )
    if failure.message:
        yield f"  should be: {failure.message}"
    if failure.expected:
        yield f"  expected:  {failure.expected}"
    if failure.actual:
        yield f"  came:      {failure.actual}"
    yield from (f"  | {line}" for line in failure.error.splitlines())
    yield f"  run again: {rerun}"
