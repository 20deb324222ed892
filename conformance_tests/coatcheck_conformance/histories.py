"""Recorded concurrent histories, and whether they are linearizable.

A history is linearizable if every operation can be given one instant between its
call and its return, so that done one after another at these instants they would
have given the same answers (Herlihy and Wing, 1990). Sessions are checked one by
one, since a history is linearizable if its part for each object is.

The search is that of Wing and Gong: take any operation that had begun when the
first one not yet taken returned, and go on; what was tried from one set of taken
operations and one state is remembered. Two shortcuts keep it small and are exact:
an operation that leaves the state as it is, and whose answer fits, is taken at
once; and since every value is written once, no two writes can stand for each other.
"""

from __future__ import annotations

import itertools
import threading
from collections import defaultdict
from collections.abc import Generator, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["issue", "validate", "update", "revoke"]

NEVER: Final = 2**63
"""As the time of return: the answer was lost. It may have happened at any time, or not at all."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One call on one session, as its caller saw it.

    :param session: which session.
    :param kind: what was called.
    :param value: what `issue` or `update` wrote, unique in its session.
    :param answer: of `validate` the value that it saw, or `None` for a refusal; of the
        others whether it was done.
    :param called: when the call began, on a clock that all callers share.
    :param returned: when it ended; later than `called`. `NEVER` if the answer was lost.
    """

    session: Hashable
    kind: Kind
    value: Hashable
    answer: Hashable
    called: int
    returned: int


@dataclass(slots=True)
class Call:
    """An operation under way; its caller fills in the answer."""

    answer: Hashable = None
    lost: bool = False


class Recorder:
    """Takes operations down, from any number of threads.

    with recorder.call(session, "revoke") as call:
        call.answer = sessions.revoke(session)

    An operation that raises is taken down as one whose answer was lost.
    """

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self._ticks = itertools.count()
        self._lock = threading.Lock()

    def _tick(self) -> int:
        with self._lock:
            return next(self._ticks)

    @contextmanager
    def call(self, session: Hashable, kind: Kind, value: Hashable = None) -> Generator[Call]:
        """One call, from before its first step to after its last."""
        call = Call(lost=True)
        called = self._tick()
        try:
            yield call
            call.lost = False
        finally:
            returned = NEVER if call.lost else self._tick()
            # list.append is atomic.
            self.operations.append(Operation(session, kind, value, call.answer, called, returned))


class NotLinearizable(AssertionError):  # noqa: N818
    """No order of these operations explains their answers."""


def check_linearizable(operations: Iterable[Operation]) -> None:
    """Raise `NotLinearizable`, naming the session and where the search got stuck."""
    of_session: defaultdict[Hashable, list[Operation]] = defaultdict(list)
    for operation in operations:
        of_session[operation.session].append(operation)
    for session, history in of_session.items():
        furthest = _furthest(history)
        if furthest is not None:
            raise NotLinearizable(
                f"session {session}: no order explains the answers of {len(history)} operations; "
                f"none of these can come next: {furthest}"
            )


State = tuple[Hashable] | None
"""The value that the session has, or `None` where there is no session."""

_WRONG: Final = object()


def _after(state: State, operation: Operation) -> object:
    """The state after the operation, or `_WRONG` if it cannot have given its answer here.

    Of one whose answer was lost only what it did counts.
    """
    lost = operation.returned == NEVER
    if operation.kind == "issue":
        return (operation.value,) if state is None else _WRONG
    if operation.kind == "validate":
        seen = None if operation.answer is None else (operation.answer,)
        return state if lost or seen == state else _WRONG
    if not lost and operation.answer is not (state is not None):
        return _WRONG
    if operation.kind == "update" and state is not None:
        return (operation.value,)
    return None


def _furthest(history: Sequence[Operation]) -> list[Operation] | None:
    """`None` if there is an order; else the candidates where the longest attempt ended."""
    ordered = sorted(history, key=lambda operation: operation.called)
    every = (1 << len(ordered)) - 1
    optional = sum(1 << n for n, operation in enumerate(ordered) if operation.returned == NEVER)
    tried: set[tuple[int, State]] = set()
    stack: list[tuple[int, State]] = [(0, None)]
    longest, stuck = -1, list[Operation]()
    while stack:
        taken, state = _take_readers(ordered, *stack.pop())
        if taken | optional == every:
            return None
        if (taken, state) in tried:
            continue
        tried.add((taken, state))
        candidates = list(_candidates(ordered, taken))
        if taken.bit_count() > longest:
            longest, stuck = taken.bit_count(), [ordered[n] for n in candidates]
        for n in reversed(candidates):
            following = _after(state, ordered[n])
            if following is not _WRONG:
                stack.append((taken | 1 << n, following))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return stuck


def _candidates(ordered: Sequence[Operation], taken: int) -> Iterator[int]:
    """The operations not yet taken that had begun before the first of them returned."""
    n = (~taken & (taken + 1)).bit_length() - 1  # the first that is not taken
    first_return = NEVER
    waiting: list[int] = []
    while n < len(ordered) and ordered[n].called < first_return:
        if not taken >> n & 1:
            first_return = min(first_return, ordered[n].returned)
            waiting.append(n)
        n += 1
    return (n for n in waiting if ordered[n].called < first_return)


def _take_readers(ordered: Sequence[Operation], taken: int, state: State) -> tuple[int, State]:
    """Take whatever can come next and changes nothing: if any order works, one does in
    which these come first, since they fit here and stand in nobody's way."""
    moved = True
    while moved:
        moved = False
        for n in _candidates(ordered, taken):
            operation = ordered[n]
            known = operation.returned != NEVER
            if known and _after(state, operation) == state and _leaves(operation):
                taken |= 1 << n
                moved = True
    return taken, state


def _leaves(operation: Operation) -> bool:
    """Whether it changes no state in which it can have given its answer."""
    return operation.kind == "validate" or operation.answer is False
