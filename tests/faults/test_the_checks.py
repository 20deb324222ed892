"""The checks on a recorded history catch what they are there for."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

import pytest

from coatcheck import Record, Secret, SessionManager
from coatcheck_backends import postgresql
from coatcheck_conformance.histories import (
    NEVER,
    NotLinearizable,
    Operation,
    check_linearizable,
)
from coatcheck_conformance.relay import relay_over
from doors import options, postgresql_doors
from kept import NotKept, check_kept
from loads import Load, tell

DEADLINE = 2.0


def _op(kind: Any, value: Any, answer: Any, called: int, returned: int) -> Operation:
    return Operation("s", kind, value, answer, called, returned)


ISSUE = _op("issue", "a", True, 0, 1)

NOT_KEPT = {
    "accepted after its revocation": [
        ISSUE, _op("revoke", None, True, 2, 3), _op("validate", None, "a", 4, 5),
    ],
    "accepted after a revocation that found it gone": [
        ISSUE, _op("revoke", None, None, 2, NEVER), _op("revoke", None, False, 4, 5),
        _op("validate", None, "a", 6, 7),
    ],
    "changed after its revocation": [
        ISSUE, _op("revoke", None, True, 2, 3), _op("update", "b", True, 4, 5),
    ],
    "lost though nobody revoked it": [ISSUE, _op("validate", None, None, 2, 3)],
    "lost before somebody revoked it": [
        ISSUE, _op("validate", None, None, 2, 3), _op("revoke", None, None, 4, NEVER),
    ],
    "a change of scopes undone": [
        ISSUE, _op("update", "b", True, 2, 3), _op("validate", None, "a", 4, 5),
    ],
    "a value that nobody wrote": [ISSUE, _op("validate", None, "z", 2, 3)],
}  # fmt: skip

KEPT = {
    "refused beside its revocation": [
        ISSUE, _op("revoke", None, True, 2, 9), _op("validate", None, None, 3, 4),
    ],
    "refused after a revocation whose answer was lost": [
        ISSUE, _op("revoke", None, None, 2, NEVER), _op("validate", None, None, 3, 4),
    ],
    "accepted after a revocation whose answer was lost": [
        ISSUE, _op("revoke", None, None, 2, NEVER), _op("validate", None, "a", 3, 4),
    ],
    "a change whose answer was lost comes late": [
        ISSUE, _op("update", "b", None, 2, NEVER), _op("update", "c", True, 3, 4),
        _op("validate", None, "c", 5, 6), _op("validate", None, "b", 7, 8),
    ],
}  # fmt: skip


@pytest.mark.parametrize("history", NOT_KEPT.values(), ids=NOT_KEPT)
def test_what_is_undone_or_lost_is_found(history: list[Operation]) -> None:
    with pytest.raises(NotKept):
        check_kept(history)


@pytest.mark.parametrize("history", KEPT.values(), ids=KEPT)
def test_what_a_lost_answer_explains_is_no_violation(history: list[Operation]) -> None:
    check_kept(history)
    check_linearizable(history)


def cached(url: str) -> SessionManager:
    """A manager whose reads come from a cache that nothing empties for a quarter of a second."""
    relay = relay_over(postgresql.open_backend(Secret(url)))
    cache: dict[UUID, tuple[float, Record | None]] = {}

    def load(session_id: UUID) -> Record | None:
        at, record = cache.get(session_id, (0.0, None))
        if time.monotonic() - at > 0.25:
            record = relay.ask("load", session_id)
            cache[session_id] = time.monotonic(), record
        return record

    relay.instead["load"] = load
    return SessionManager(relay, **options(DEADLINE))


def test_a_manager_that_reads_from_a_cache_is_caught(url: str) -> None:
    doors = postgresql_doors(url, DEADLINE)
    doors[0].make = lambda: cached(url)
    with Load(doors, deadline=DEADLINE) as load:
        load.works(3.0)
    assert not load.wrong
    with pytest.raises(NotKept):
        check_kept(load.house.history)
    with pytest.raises(NotLinearizable):
        check_linearizable(load.house.history)
    tell(f"a read cache of 0.25 s at one of three managers: caught in {load.calls:,} calls")
