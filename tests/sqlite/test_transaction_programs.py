"""Law 17 of any program: random calls, savepoints and ends, against a model of what survives."""

from __future__ import annotations

import pytest

from sqlite_files import FACES, Place
from transaction_programs import check_programs
from transactions import WAYS, Desk


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("face", FACES)
def test_what_survives_of_any_program_and_what_is_told_of_it(
    place: Place, face: str, way: str
) -> None:
    desk = Desk(place, face, way)
    check_programs(desk, {eager: desk.new_engine(eager=eager) for eager in (False, True)})
