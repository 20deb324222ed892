"""The zoo of broken backends and cores is whole: every law has some, each has its own name."""

from __future__ import annotations

from collections.abc import Callable

from coatcheck_conformance.laws import LAWS
from zoo import breaking


def test_every_law_has_something_broken_that_its_tests_must_reject(
    record_property: Callable[[str, object], None],
) -> None:
    numbers = {str(law): len(breaking(law.number)) for law in LAWS.values()}
    assert min(numbers.values()) >= 1
    names = [str(broken) for law in LAWS for broken in breaking(law)]
    assert len(names) == len(set(names)) == sum(numbers.values())
    record_property("table", ("zoo", "broken ones", {**numbers, "in all": len(names)}))


def test_the_laws_are_numbered_from_1_to_19_and_have_words() -> None:
    assert list(LAWS) == list(range(1, 20))
    assert all(law.title and law.words.endswith(".") for law in LAWS.values())
    assert len({law.title for law in LAWS.values()}) == len(LAWS)
