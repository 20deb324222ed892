"""Alternating rounds of two or more contestants, and what may be said of them: ratios.

A machine's speed moves by a factor of two between minutes, so every contestant runs in every
round, in turn, and each round gives one ratio. The median of the ratios is the figure; the
lowest and the highest say how far to trust it.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Contestant = Callable[[], float]
"""Does its work once over and returns the microseconds that one operation took."""


@dataclass(frozen=True)
class Figure:
    """One row of the table."""

    case: str
    raw: float
    ours: float
    ratios: tuple[float, ...]
    limit: float | None = None
    unit: str = "µs"

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios."""
        return statistics.median(self.ratios)

    @property
    def holds(self) -> bool:
        """Whether the limit, if there is one, is kept."""
        return self.limit is None or self.ratio <= self.limit


def race(contestants: Mapping[str, Contestant], *, rounds: int) -> dict[str, list[float]]:
    """Run all once for warmth, then in turn, `rounds` times: what each took in each round."""
    for contestant in contestants.values():
        contestant()
    names = list(contestants)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        # Who goes first changes, so that nobody always finds the caches of the same one.
        first = number % len(names)
        for name in names[first:] + names[:first]:
            taken[name].append(contestants[name]())
    return taken


def ratios(taken: Sequence[float], unit: Sequence[float]) -> tuple[float, ...]:
    """Round by round, one contestant's time in units of another's."""
    return tuple(one / other for one, other in zip(taken, unit, strict=True))


def compare(
    case: str, raw: Contestant, ours: Contestant, *, rounds: int, limit: float | None = None
) -> Figure:
    """Ours in units of the raw driver."""
    taken = race({"raw": raw, "ours": ours}, rounds=rounds)
    return Figure(
        case,
        raw=statistics.median(taken["raw"]),
        ours=statistics.median(taken["ours"]),
        ratios=ratios(taken["ours"], taken["raw"]),
        limit=limit,
    )


def spread(values: Sequence[float], unit: str = " ×") -> str:
    """The median, with the lowest and the highest."""
    return f"{statistics.median(values):.2f}{unit} ({min(values):.2f} to {max(values):.2f})"


def table(figures: list[Figure]) -> str:
    """The figures as a Markdown table."""
    lines = [
        "| case | raw | coatcheck | ratio (lowest to highest) | at most |",
        "| --- | --: | --: | --: | --: |",
    ]
    for figure in figures:
        limit = "" if figure.limit is None else f"{figure.limit:g} ×"
        mark = "" if figure.holds else " **missed**"
        lines.append(
            f"| {figure.case} | {figure.raw:,.1f} {figure.unit} | {figure.ours:,.1f} {figure.unit} "
            f"| {spread(figure.ratios)} | {limit}{mark} |"
        )
    return "\n".join(lines)
