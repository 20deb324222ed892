"""The suite that we publish rejects every broken backend and core of the zoo.

By default each animal is tried against the checks of the laws that it declares, and of what is
of no law alone. With `COATCHECK_MUTANTS=all` the whole suite runs on each, in its own order:
that takes long, and shows besides that what each declares is all that it breaks.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from time import monotonic

import pytest

from coatcheck_conformance import LAWS, QUICK, Outcome, Report, run
from zoo import Broken, every_animal
from zoo.named import NAMED
from zoo.serverpod import FLAWS

WHOLE = os.environ.get("COATCHECK_MUTANTS") == "all"
PROFILE = replace(QUICK, shrink=False)
LONGEST = 60.0
"""Seconds that the suite may need for its first rejection."""
ANIMALS = every_animal()
Note = Callable[[str, object], None]


def rejected(animal: Broken, seed: int = 1) -> Report:
    """What the suite says of it, up to the first rejection for a law that it declares."""

    def names_it(outcome: Outcome) -> bool:
        return outcome.failure is not None and outcome.failure.law in animal.laws

    with animal.at_work() as harness:
        return run(
            harness,
            profile=PROFILE,
            laws={*animal.laws, 0},
            faces=animal.faces,
            seed=seed,
            until=names_it,
        )


@pytest.mark.skipif(WHOLE, reason="the whole suite is run instead")
@pytest.mark.parametrize("animal", ANIMALS, ids=str)
def test_it_is_rejected_for_a_law_that_it_declares(animal: Broken, record_property: Note) -> None:
    began = monotonic()
    report = rejected(animal)
    assert report.broken & animal.laws
    record_property("rejected after", monotonic() - began)


@pytest.mark.skipif(not WHOLE, reason="COATCHECK_MUTANTS=all runs the whole suite on each")
@pytest.mark.parametrize("animal", ANIMALS, ids=str)
def test_the_whole_suite_names_no_law_but_those_that_it_declares(
    animal: Broken, record_property: Note
) -> None:
    began = monotonic()
    times: list[float] = []

    def heard(outcome: Outcome) -> None:
        if outcome.failure is not None:
            times.append(monotonic() - began)

    with animal.at_work() as harness:
        report = run(harness, profile=PROFILE, faces=animal.faces, seed=1, heard=heard)
    named = report.broken - ({0} - animal.laws)  # what is of no law alone goes with any
    assert named & animal.laws, "it is rejected for a law that it declares"
    assert named <= animal.laws, "what it declares is all that it breaks"
    assert times[0] <= LONGEST
    record_property("rejected after", times[0])


CACHED = next(animal for animal in ANIMALS if animal.name == "a read cache of one second")


@pytest.mark.parametrize("seed", range(20))
def test_a_read_cache_of_one_second_is_rejected_each_time(seed: int) -> None:
    assert rejected(CACHED, seed).broken & CACHED.laws


@pytest.mark.parametrize("law", LAWS.values(), ids=str)
def test_a_law_has_two_animals_that_break_no_other(law) -> None:
    assert sum(animal.laws == {law.number} for animal in ANIMALS) >= 2


def test_each_has_a_name_of_its_own_and_breaks_laws_that_there_are() -> None:
    assert len({animal.name for animal in ANIMALS}) == len(ANIMALS) >= 90
    assert all(animal.laws and animal.laws <= {0, *LAWS} for animal in ANIMALS)


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_flaw_of_the_seed_of_this_design_is_in_the_zoo(flaw: str) -> None:
    assert set(FLAWS[flaw]) <= {animal.name for animal in ANIMALS}


@pytest.mark.parametrize("kind", NAMED)
def test_a_kind_that_the_first_list_names_is_in_the_zoo(kind: str) -> None:
    assert set(NAMED[kind]) <= {animal.name for animal in ANIMALS}
