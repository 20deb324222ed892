"""The laws of coatcheck, as a suite that anyone can run on any backend.

The author of a backend writes a `Harness` and runs the suite on it: as a class of pytest's
(`Conformance`, with the plugin `coatcheck_conformance.plugin`), from code (`run`), or, for a
backend that is installed, by `coatcheck conformance URL`.

What the suite itself is made of: `laws` (the nineteen, as data), `checks` (each of them as
properties), `model` (what every call must answer), `histories` (was it linearizable?),
`strategies`, `clock`, `faces`, `relay`, and `frame`, on which the checks stand.

Only public names of `coatcheck` are used. Needs the extra `conformance`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .harness import Face, Harness, NotShown, Transaction
from .laws import LAWS, Law
from .profiles import DEFAULT, PROFILES, QUICK, THOROUGH, Profile
from .report import Failure, Outcome, Report

if TYPE_CHECKING:
    from .running import run
    from .suite import Conformance

__all__ = [
    "DEFAULT",
    "LAWS",
    "PROFILES",
    "QUICK",
    "THOROUGH",
    "Conformance",
    "Face",
    "Failure",
    "Harness",
    "Law",
    "NotShown",
    "Outcome",
    "Profile",
    "Report",
    "Transaction",
    "run",
]


def __getattr__(name: str) -> object:
    # Hypothesis and pytest: the rest of the command line asks for names of this package, too.
    if name == "run":
        from .running import run

        return run
    if name == "Conformance":
        from .suite import Conformance

        return Conformance
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
