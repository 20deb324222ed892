"""Alternating rounds of two or more contestants, and what may be said of them: ratios.

A machine's speed moves by a factor of two between minutes, so every contestant runs in every
round, in turn, and each round gives one ratio. The median of the ratios is the figure; the
lowest and the highest say how far to trust it.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
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


def compare(
    case: str, raw: Contestant, ours: Contestant, *, rounds: int, limit: float | None = None
) -> Figure:
    """Run both once for warmth, then in turn, `rounds` times."""
    raw(), ours()
    pairs: list[tuple[float, float]] = []
    for number in range(rounds):
        # Who goes first changes, so that neither always finds the caches of the other.
        if number % 2:
            mine, theirs = ours(), raw()
        else:
            theirs, mine = raw(), ours()
        pairs.append((theirs, mine))
    return Figure(
        case,
        raw=statistics.median(theirs for theirs, _ in pairs),
        ours=statistics.median(mine for _, mine in pairs),
        ratios=tuple(mine / theirs for theirs, mine in pairs),
        limit=limit,
    )


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
            f"| {figure.ratio:.2f} × ({min(figure.ratios):.2f} to {max(figure.ratios):.2f}) "
            f"| {limit}{mark} |"
        )
    return "\n".join(lines)
