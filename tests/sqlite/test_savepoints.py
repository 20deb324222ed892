"""Law 17 of savepoints: one that is rolled back takes its own changes and events, no others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import product
from typing import Any

import pytest
from sqlalchemy import text

from coatcheck import InvalidInput
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


def emptied(desk: Desk) -> Desk:
    desk.place.sql("DELETE FROM coatcheck_session")
    desk.listener.take()
    return desk


Savepoints = Callable[[Desk, Any, Any], list[str]]


def sign_in(desk: Desk, transaction: Any, user: str) -> None:
    desk.within(transaction).issue(user, method="password")


def _one_rolled_back(desk: Desk, transaction: Any, sign: Any) -> list[str]:
    inner = transaction.begin_nested()
    sign("inner")
    inner.rollback()
    return []


def _before_one_that_is_rolled_back(desk: Desk, transaction: Any, sign: Any) -> list[str]:
    sign("before")
    inner = transaction.begin_nested()
    sign("inner")
    inner.rollback()
    return ["before"]


def _released_after_another_was_rolled_back(desk: Desk, transaction: Any, sign: Any) -> list[str]:
    failed = transaction.begin_nested()
    sign("rolled back")
    failed.rollback()
    with transaction.begin_nested():
        sign("released")
    sign("after")
    return ["released", "after"]


def _released_inside_one_that_is_rolled_back(desk: Desk, transaction: Any, sign: Any) -> list[str]:
    sign("outermost")
    outer = transaction.begin_nested()
    sign("outer")
    with transaction.begin_nested():
        sign("inner")
    outer.rollback()
    sign("after")
    return ["outermost", "after"]


def _rolled_back_inside_one_that_is_released(desk: Desk, transaction: Any, sign: Any) -> list[str]:
    with transaction.begin_nested():
        sign("outer")
        inner = transaction.begin_nested()
        sign("inner")
        inner.rollback()
        sign("outer again")
    return ["outer", "outer again"]


def _twice_released(desk: Desk, transaction: Any, sign: Any) -> list[str]:
    with transaction.begin_nested(), transaction.begin_nested():
        sign("innermost")
    return ["innermost"]


def _before_the_first_statement(desk: Desk, transaction: Any, sign: Any) -> list[str]:
    inner = transaction.begin_nested()
    transaction.execute(text("SELECT 1"))
    inner.rollback()
    sign("after")
    return ["after"]


SAVEPOINTS = [
    _one_rolled_back, _before_one_that_is_rolled_back, _released_after_another_was_rolled_back,
    _released_inside_one_that_is_rolled_back, _rolled_back_inside_one_that_is_released,
    _twice_released, _before_the_first_statement,
]  # fmt: skip


@pytest.mark.parametrize("eager", [False, True], ids=["as it comes", "eager"])
@pytest.mark.parametrize(("bound_once", "committed"), list(product((False, True), repeat=2)))
@pytest.mark.parametrize("savepoints", SAVEPOINTS, ids=lambda case: case.__name__.strip("_"))
def test_savepoints_of_a_session(
    desks: dict[bool, Desk], savepoints: Savepoints, committed: bool, bound_once: bool, eager: bool
) -> None:
    desk = emptied(desks[eager])
    with desk.transaction() as transaction:
        if bound_once:
            bound = desk.within(transaction)
            surviving = savepoints(desk, transaction, lambda u: bound.issue(u, method="password"))
        else:
            surviving = savepoints(desk, transaction, lambda u: sign_in(desk, transaction, u))
        assert desk.listener.told == [t for t in desk.listener.told if t[0] == "session_issuing"]
        desk.listener.take()
        if committed:
            transaction.commit()
        else:
            transaction.rollback()
            surviving = []
    assert [session.user_id for _, session in desk.listener.take()] == surviving
    assert sorted(session.user_id for session in desk.witness.find()) == sorted(surviving)


@pytest.mark.parametrize("savepoints", SAVEPOINTS, ids=lambda case: case.__name__.strip("_"))
@pytest.mark.parametrize("eager", [False, True], ids=["as it comes", "eager"])
def test_savepoints_of_a_connection(
    desks_by_connection: dict[bool, Desk], savepoints: Savepoints, eager: bool
) -> None:
    desk = emptied(desks_by_connection[eager])
    bounds: dict[str, Any] = {}

    def sign(user: str) -> None:
        bounds[user] = desk.within(transaction)
        bounds[user].issue(user, method="password")

    with desk.transaction() as transaction:
        surviving = savepoints(desk, transaction, sign)
        transaction.commit()
        desk.listener.take()
        # Nobody but the caller knows which savepoints were rolled back.
        with ExitStack() as speaking:
            for user in reversed(surviving):
                speaking.callback(bounds[user].committed)
    assert [session.user_id for _, session in desk.listener.take()] == surviving
    assert sorted(session.user_id for session in desk.witness.find()) == sorted(surviving)


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
