"""Law 17 of savepoints: one that is rolled back takes its own changes and events, no others."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from postgresql_desks import Desk
from postgresql_places import FACES, new_place
from savepoints import SAVEPOINTS, Savepoints, check_connection, check_session
from transaction_programs import EXAMPLES, check_programs
from transactions import WAYS


@pytest.fixture(scope="module", params=FACES)
def desks(request: pytest.FixtureRequest, postgresql_url: str) -> Iterator[dict[str, Desk]]:
    """A desk for each way."""
    with new_place(postgresql_url) as one, new_place(postgresql_url) as other:
        places = zip(WAYS, (one, other), strict=True)
        yield {way: Desk(place, request.param, way) for way, place in places}


@pytest.mark.parametrize(("bound_once", "committed"), list(product((False, True), repeat=2)))
@pytest.mark.parametrize("savepoints", SAVEPOINTS, ids=lambda case: case.__name__.strip("_"))
def test_savepoints_of_a_session(
    desks: dict[str, Desk], savepoints: Savepoints, committed: bool, bound_once: bool
) -> None:
    check_session(desks["session"], savepoints, bound_once=bound_once, committed=committed)


@pytest.mark.parametrize("savepoints", SAVEPOINTS, ids=lambda case: case.__name__.strip("_"))
def test_savepoints_of_a_connection(desks: dict[str, Desk], savepoints: Savepoints) -> None:
    check_connection(desks["connection"], savepoints)


@pytest.mark.parametrize("way", WAYS)
def test_what_survives_of_any_program_and_what_is_told_of_it(
    desks: dict[str, Desk], way: str
) -> None:
    desk = desks[way]
    check_programs(desk, {True: desk.engine}, EXAMPLES // 5)
