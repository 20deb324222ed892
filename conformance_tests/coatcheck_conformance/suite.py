"""The suite as a class of pytest's, which an author inherits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import ClassVar

import pytest

from .frame.registry import Check
from .frame.stage import Stage
from .harness import Face, Harness
from .profiles import PROFILES, Profile
from .report import told
from .running import tried


class Conformance:
    """Every check of every law, on one backend.

        class TestRedis(Conformance):
            harness = RedisHarness

    The plugin `coatcheck_conformance.plugin` must be loaded; it gives each check as a test
    of its own, and a table at the end of the run.
    """

    harness: ClassVar[type[Harness]]
    faces: ClassVar[tuple[Face, ...]] = tuple(Face)
    profiles: ClassVar[Mapping[str, Profile]] = PROFILES
    """By the names that the option `--conformance-profile` takes; a backend may have its own
    numbers in them."""

    def test_law(
        self, conformance_check: Check, conformance_stage: Stage, request: pytest.FixtureRequest
    ) -> None:
        """One check under one manager."""
        outcome = tried(conformance_stage, conformance_check, len(self.faces))
        request.node.user_properties.append(("conformance", asdict(outcome)))
        if outcome.failure is not None:
            again = f"pytest '{request.node.nodeid}' --conformance-seed={outcome.seed}"
            pytest.fail("\n".join(told(outcome, again)), pytrace=False)
        if outcome.not_shown:
            pytest.skip(f"not shown: {outcome.not_shown}")
