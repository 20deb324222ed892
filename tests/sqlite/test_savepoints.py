"""Law 17 of savepoints: one that is rolled back takes its own changes and events, no others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import product

import pytest
from sqlalchemy import text

from coatcheck import InvalidInput
from savepoints import SAVEPOINTS, Savepoints, check_connection, check_session
from sqlite_files import FACES, Place
from transactions import WAYS, Desk


@pytest.fixture(scope="module", params=FACES)
def desks(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[bool, Desk]]:
    """A desk for SQLAlchemy as it comes, and one for the recipe with BEGIN."""
    with ExitStack() as closing:
        yield _desks(closing, tmp_path_factory, request.param, "session")


@pytest.fixture(scope="module", params=FACES)
def desks_by_connection(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[bool, Desk]]:
    with ExitStack() as closing:
        yield _desks(closing, tmp_path_factory, request.param, "connection")


def _desks(
    closing: ExitStack, directories: pytest.TempPathFactory, face: str, way: str
) -> dict[bool, Desk]:
    found = {}
    for eager in (False, True):
        place = Place(directories.mktemp("savepoints"))
        closing.callback(place.close)
        found[eager] = Desk(place, face, way, eager=eager)
    return found


@pytest.mark.parametrize("eager", [False, True], ids=["as it comes", "eager"])
@pytest.mark.parametrize(("bound_once", "committed"), list(product((False, True), repeat=2)))
@pytest.mark.parametrize("savepoints", SAVEPOINTS, ids=lambda case: case.__name__.strip("_"))
def test_savepoints_of_a_session(
    desks: dict[bool, Desk], savepoints: Savepoints, committed: bool, bound_once: bool, eager: bool
) -> None:
    check_session(desks[eager], savepoints, bound_once=bound_once, committed=committed)


@pytest.mark.parametrize("savepoints", SAVEPOINTS, ids=lambda case: case.__name__.strip("_"))
@pytest.mark.parametrize("eager", [False, True], ids=["as it comes", "eager"])
def test_savepoints_of_a_connection(
    desks_by_connection: dict[bool, Desk], savepoints: Savepoints, eager: bool
) -> None:
    check_connection(desks_by_connection[eager], savepoints)


@pytest.mark.parametrize("first", ["SELECT * FROM note", "INSERT INTO note VALUES ('first')"])
@pytest.mark.parametrize("way", WAYS)
def test_a_savepoint_before_the_first_statement_of_the_users_own(
    place: Place, face: str, way: str, first: str
) -> None:
    # Here `sqlite3` sends no BEGIN, so that the savepoint's release commits. To refuse the call
    # is right as well; to keep what was rolled back is not.
    desk = Desk(place, face, way)
    with desk.transaction() as transaction:
        with transaction.begin_nested():
            transaction.execute(text(first))
            try:
                desk.within(transaction).issue("ann", method="password")
            except InvalidInput:
                desk.listener.take()
        transaction.rollback()
    assert desk.told == []
    assert desk.witness.count() == 0
