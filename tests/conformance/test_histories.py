"""The linearizability checker accepts what can be explained, and nothing else."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coatcheck_conformance.histories import (
    NEVER,
    NotLinearizable,
    Operation,
    Recorder,
    check_linearizable,
)

ISSUE = Operation("s", "issue", "a", True, 0, 1)


def _op(kind, value, answer, called, returned) -> Operation:
    return Operation("s", kind, value, answer, called, returned)


LEGAL = {
    "a read between two writes": [
        ISSUE, _op("validate", None, "a", 2, 3), _op("update", "b", True, 4, 5),
        _op("validate", None, "b", 6, 7),
    ],
    "a read beside a write sees the old value or the new one": [
        ISSUE, _op("update", "b", True, 2, 9), _op("validate", None, "a", 3, 4),
        _op("validate", None, "b", 5, 6),
    ],
    "two writes at once end in either order": [
        ISSUE, _op("update", "b", True, 2, 9), _op("update", "c", True, 3, 8),
        _op("validate", None, "b", 10, 11),
    ],
    "a refusal beside the revocation": [
        ISSUE, _op("revoke", None, True, 2, 9), _op("validate", None, None, 3, 4),
    ],
    "one of two revocations": [
        ISSUE, _op("revoke", None, True, 2, 9), _op("revoke", None, False, 3, 8),
    ],
    "an update after the revocation is refused": [
        ISSUE, _op("revoke", None, True, 2, 3), _op("update", "b", False, 4, 5),
    ],
    "a lost answer of something that happened late": [
        ISSUE, _op("update", "b", None, 2, NEVER), _op("validate", None, "a", 5, 6),
        _op("validate", None, "b", 7, 8),
    ],
    "a lost answer of something that never happened": [
        ISSUE, _op("revoke", None, None, 2, NEVER), _op("validate", None, "a", 5, 6),
    ],
    "a refusal before the issue": [_op("validate", None, None, 0, 1),
                                   _op("issue", "a", True, 2, 3)],
}  # fmt: skip

ILLEGAL = {
    "a stale read": [
        ISSUE, _op("update", "b", True, 2, 3), _op("validate", None, "a", 4, 5),
    ],
    "a value that comes and goes": [
        ISSUE, _op("update", "b", True, 2, 9), _op("validate", None, "b", 3, 4),
        _op("validate", None, "a", 5, 6),
    ],
    "a lost update": [
        ISSUE, _op("update", "b", True, 2, 3), _op("update", "c", True, 4, 5),
        _op("validate", None, "b", 6, 7),
    ],
    "a return after the revocation": [
        ISSUE, _op("revoke", None, True, 2, 3), _op("validate", None, None, 4, 5),
        _op("validate", None, "a", 6, 7),
    ],
    "an acceptance after the revocation": [
        ISSUE, _op("revoke", None, True, 2, 3), _op("validate", None, "a", 4, 5),
    ],
    "two revocations that both did it": [
        ISSUE, _op("revoke", None, True, 2, 9), _op("revoke", None, True, 3, 8),
    ],
    "a revocation that did nothing, and nobody else did": [
        ISSUE, _op("revoke", None, False, 2, 3),
    ],
    "a value that nobody wrote": [ISSUE, _op("validate", None, "z", 2, 3)],
    "two readers who disagree on the order of two writes": [
        ISSUE, _op("update", "b", True, 2, 20), _op("update", "c", True, 3, 21),
        _op("validate", None, "b", 4, 5), _op("validate", None, "c", 6, 7),
        _op("validate", None, "b", 8, 9),
    ],
    "an update that was refused while the session was there": [
        ISSUE, _op("update", "b", False, 2, 3), _op("validate", None, "a", 4, 5),
    ],
    "a lost answer that would have to happen before its call": [
        ISSUE, _op("validate", None, "b", 2, 3), _op("update", "b", None, 4, NEVER),
    ],
    "a session that is there before its issue": [
        _op("validate", None, "a", 0, 1), _op("issue", "a", True, 2, 3),
    ],
}  # fmt: skip


@pytest.mark.parametrize("history", LEGAL.values(), ids=LEGAL)
def test_what_some_order_explains_is_accepted(history: list[Operation]) -> None:
    check_linearizable(history)


@pytest.mark.parametrize("history", ILLEGAL.values(), ids=ILLEGAL)
def test_what_no_order_explains_is_rejected(history: list[Operation]) -> None:
    with pytest.raises(NotLinearizable, match="session s"):
        check_linearizable(history)


def _by_brute_force(history: list[Operation]) -> bool:
    """The definition, tried in every order."""
    lost = [op for op in history if op.returned == NEVER]
    known = [op for op in history if op.returned != NEVER]
    for chosen in itertools.chain.from_iterable(
        itertools.combinations(lost, n) for n in range(len(lost) + 1)
    ):
        for order in itertools.permutations([*known, *chosen]):
            if _fits(order):
                return True
    return False


def _fits(order: tuple[Operation, ...]) -> bool:
    for n, operation in enumerate(order):
        if any(later.returned < operation.called for later in order[n + 1 :]):
            return False
    value, there = None, False
    for operation in order:
        known = operation.returned != NEVER
        if operation.kind == "issue":
            if there:
                return False
            value, there = operation.value, True
        elif operation.kind == "validate":
            if known and operation.answer != (value if there else None):
                return False
        else:
            if known and operation.answer is not there:
                return False
            if operation.kind == "update" and there:
                value = operation.value
            elif operation.kind == "revoke":
                value, there = None, False
    return True


@st.composite
def _histories(draw: st.DrawFn) -> list[Operation]:
    """Up to six operations with times and answers drawn freely, so that most are illegal."""
    kinds = draw(st.lists(st.sampled_from(("validate", "update", "revoke")), max_size=5))
    times = draw(st.permutations(range(2 * len(kinds) + 2)))
    operations = []
    for n, kind in enumerate(["issue", *kinds]):
        called, returned = sorted(times[2 * n : 2 * n + 2])
        if n and draw(st.integers(0, 5)) == 0:
            returned = NEVER
        value = f"v{n}" if kind in ("issue", "update") else None
        if kind == "validate":
            answer = draw(st.sampled_from((None, *(f"v{m}" for m in range(len(kinds) + 1)))))
        else:
            answer = True if kind == "issue" else draw(st.booleans())
        operations.append(_op(kind, value, answer, called, returned))
    return operations


@settings(max_examples=300, deadline=None)
@given(_histories())
def test_the_search_agrees_with_trying_every_order(history: list[Operation]) -> None:
    try:
        check_linearizable(history)
    except NotLinearizable:
        assert not _by_brute_force(history)
    else:
        assert _by_brute_force(history)


def _simulated(dice: random.Random, number: int) -> list[Operation]:
    """A history of a correct store with many callers: each operation takes effect at one
    instant between its call and its return."""
    time, value, there = 1, "v0", True
    history = [_op("issue", "v0", True, 0, 1)]
    for n in range(1, number):
        time += 10
        kind = dice.choices(("validate", "update", "revoke"), (80, 19, 0.2))[0]
        # It takes effect now, and is called and returns up to some operations around.
        called, returned = time - dice.randint(1, 150), time + dice.randint(1, 150)
        if kind == "validate":
            answer: object = value if there else None
        else:
            answer = there
            if kind == "update" and there:
                value = f"v{n}"
            elif kind == "revoke":
                there = False
        history.append(_op(kind, f"v{n}" if kind == "update" else None, answer, called, returned))
    return history


def test_a_long_history_with_many_at_once_is_checked_quickly() -> None:
    for seed in range(5):
        history = _simulated(random.Random(seed), 2000)
        check_linearizable(history)
        # The first value is read once more, long after others were written.
        late = max(op.returned for op in history) + 1
        with pytest.raises(NotLinearizable):
            check_linearizable([*history, _op("validate", None, "v0", late, late + 1)])


def test_an_operation_that_raises_is_taken_down_as_a_lost_answer() -> None:
    recorder = Recorder()
    with recorder.call("s", "issue", "a") as call:
        call.answer = True
    with pytest.raises(ZeroDivisionError), recorder.call("s", "revoke"):
        raise ZeroDivisionError
    first, second = recorder.operations
    assert (first.answer, second.returned) == (True, NEVER)
    assert first.called < first.returned < second.called
    check_linearizable(recorder.operations)
