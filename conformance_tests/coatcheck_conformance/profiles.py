"""How much the suite tries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Profile:
    """Numbers for one backend, under both managers together.

    :param examples: of each law, shared by its checks.
    :param least: of each check under each manager, however many share the law's.
    :param steps: of the state machine.
    :param histories: recorded from many clients at once and checked for linearizability.
    :param orders: at most so many of the orders in which two calls can meet, of each pair
        and under each manager.
    :param deaths: of processes and stores, where the harness can kill them.
    :param shrink: whether a history that breaks a law is made as short as it can be.
    """

    name: str
    examples: int
    least: int
    steps: int
    histories: int
    orders: int
    deaths: int
    shrink: bool = True


QUICK: Final = Profile("quick", 100, 10, 1_000, 10, 10, 2)
"""Under half a minute on a store in memory: while writing."""
DEFAULT: Final = Profile("default", 500, 50, 10_000, 200, 1_000, 5)
"""Some minutes: before a release, and in CI."""
THOROUGH: Final = Profile("thorough", 50_000, 5_000, 2_000_000, 5_000, 100_000, 100)
"""Hours."""

PROFILES: Final = {profile.name: profile for profile in (QUICK, DEFAULT, THOROUGH)}
