"""What the tests of the zoo share, and the tables at their end."""

from __future__ import annotations

from statistics import median
from typing import Any

from coatcheck_conformance import LAWS
from stretched_peppers import stretched_once
from zoo import every_animal


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """How many animals there are for each law, and how long it took to reject them."""
    stats = terminalreporter.stats.values()
    reports = [each for list_ in stats for each in list_ if getattr(each, "when", "") == "teardown"]
    told = [item for report in reports for item in report.user_properties]
    seconds = [value for name, value in told if name == "rejected after"]
    if not seconds:
        return
    terminalreporter.section("the zoo")
    animals = every_animal()
    for law in LAWS.values():
        breaking = [animal for animal in animals if law.number in animal.laws]
        alone = sum(len(animal.laws) == 1 for animal in breaking)
        terminalreporter.write_line(
            f"{law!s:<34}{len(breaking):>4} break it, {alone:>3} of them no other"
        )
    terminalreporter.write_line(
        f"{len(seconds)} times rejected: after {median(seconds):.2f} s in the median, "
        f"{max(seconds):.2f} s at most"
    )
