"""Programs with savepoints, each with what survives of it, and how to see that it is so."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from sqlalchemy import text

from transactions import Desk


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


def check_session(desk: Desk, savepoints: Savepoints, *, bound_once: bool, committed: bool) -> None:
    """Of a `Session`: observers are told of what survived, by themselves."""
    emptied(desk)
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


def check_connection(desk: Desk, savepoints: Savepoints) -> None:
    """Of a `Connection`: its caller says which of the bound managers are to tell."""
    emptied(desk)
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
