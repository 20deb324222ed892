"""Which law a history breaks that no order explains, and the shortest part that shows it."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Sequence

from ..histories import NEVER, NotLinearizable, Operation, check_linearizable
from .expecting import Broken


class Unexplained(Broken):
    """No order of the calls explains what they answered.

    :ivar history: the shortest part of a session's history that shows it.
    """

    def __init__(self, law: int, words: str, history: Sequence[Operation]) -> None:
        super().__init__(f"{words}, in some order of these calls", law=law)
        self.history = history

    @property
    def is_race(self) -> bool:
        """Whether two revoked the session at the same time."""
        ends = [(o.called, o.returned) for o in self.history if o.kind == "revoke"]
        return any(a[0] < b[0] < a[1] for a, b in itertools.pairwise(ends))

    def lines(self) -> list[str]:
        """The history in words."""
        return [_line(operation) for operation in self.history]


def explain(
    operations: Iterable[Operation],
    settled: Collection[Operation] = (),
    untouched: Collection[Hashable] = (),
    found: Collection[Hashable] = (),
) -> None:
    """Raise `Unexplained` if some session's history is not linearizable.

    :param settled: of the operations, the readings of what was stored when nobody wrote. They
        tell a change that was lost from one that was only not seen.
    :param untouched: the sessions of which a touch said that they are gone.
    :param found: the sessions that the store holds at the end.
    """
    of_session: defaultdict[Hashable, list[Operation]] = defaultdict(list)
    for operation in operations:
        of_session[operation.session].append(operation)
    for session, history in of_session.items():
        if _is_broken(history):
            stored = [o for o in history if o.kind != "validate" or o in settled]
            is_lost = bool(settled) and _is_broken(stored)
            shortest = shortened(stored if is_lost else history)
            is_back = session in found and _returns(history)
            law, words = _law_of(shortest, is_lost=is_lost, is_back=is_back)
            if law == 1:
                law = _law_of_refusal(history, session in untouched)
            raise Unexplained(law, words, shortest)


def shortened(history: Iterable[Operation]) -> list[Operation]:
    """A part of a history that nothing explains, from which no more can be left out.

    Only that is left out whose absence explains nothing: readings, calls that did nothing,
    changes that nobody read.
    """
    # What was seen says most, and then what was revoked.
    rank = {"update": 1, "revoke": 2, "validate": 3}
    kept = sorted(history, key=lambda each: (rank.get(each.kind, 0), -each.called))
    before = len(kept) + 1
    while len(kept) < before:
        before = len(kept)
        for operation in kept:
            rest = [other for other in kept if other is not operation]
            if _is_idle(operation, rest) and _is_broken(rest):
                kept = rest
    return sorted(kept, key=lambda operation: operation.called)


def _is_idle(operation: Operation, rest: list[Operation]) -> bool:
    """Whether no answer of the rest can be due to it."""
    known = [other for other in rest if other.returned != NEVER]
    if operation.kind == "update" and operation.answer is not False:
        return all(other.answer != operation.value for other in known)
    if operation.kind == "revoke" and operation.answer is not False:
        return not any(other.answer is None or other.answer is False for other in known)
    return operation.kind != "issue"


def _is_broken(history: Iterable[Operation]) -> bool:
    try:
        check_linearizable(history)
    except NotLinearizable:
        return True
    return False


def _law_of(shortest: list[Operation], *, is_lost: bool, is_back: bool) -> tuple[int, str]:
    """By what had to stay in the history, the law and what it asks for."""
    known = [operation for operation in shortest if operation.returned != NEVER]
    did = {(o.kind, bool(o.answer)) for o in known}
    if sum(o.kind == "revoke" and o.answer is True for o in known) > 1:
        return 5, "of all who revoke a session, one did it"
    is_revoked = ("revoke", True) in did
    if is_revoked and is_back and {("validate", True), ("update", True)} & did:
        return 9, "what was refused as gone does not return"
    if is_revoked and ("validate", True) in did:
        return 5, "a validation that starts after the revocation returned is refused"
    if is_revoked and ("update", True) in did and ("validate", False) not in did:
        return 5, "nothing changes a session after its revocation returned"
    if ("update", False) in did:
        return 8, "a change of a session that is there is made"
    if ("revoke", False) in did:
        return 5, "a session that is there can be revoked"
    if ("validate", False) in did:
        return 1, "a session that was issued, and not revoked, is accepted"
    if is_lost:
        return 8, "the last change of the scopes is what is stored"
    return 6, "a validation sees the last change of the scopes"


def _returns(history: list[Operation]) -> bool:
    """Whether a session was refused, and thereafter accepted or changed."""
    refusals = [o.returned for o in history if o.kind == "validate" and o.answer is None]
    dones = [o.called for o in history if o.kind in ("validate", "update") and o.answer]
    return bool(refusals and dones) and min(refusals) < max(dones)


def _law_of_refusal(history: list[Operation], is_untouched: bool) -> int:
    """Which of its ends a session met that was refused although nobody said to revoke it."""
    revocations = {o.answer for o in history if o.kind == "revoke"}
    if revocations == {False}:
        return 5
    return 4 if is_untouched else 1


def _line(operation: Operation) -> str:
    what, answer = str(operation.kind), operation.answer
    if operation.kind == "validate":
        came = "refused" if answer is None else f"accepted, with the scope {answer}"
    elif operation.returned == NEVER:
        came = "no answer"
    else:
        came = "done" if answer else "nothing to do"
    if operation.value is not None:
        what += f" with the scope {operation.value}"
    end = "the end" if operation.returned == NEVER else operation.returned
    return f"{what}, from {operation.called} to {end} -> {came}"
