"""What must be true of every history, on any store and through any fault.

`check_linearizable` finds all of it and more, where a store declares that much. These rules
hold wherever the store keeps what it acknowledged, and each violation says which one it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable

from coatcheck_conformance.histories import NEVER, Operation


class NotKept(AssertionError):  # noqa: N818
    """Something that was acknowledged is not so."""


def check_kept(operations: Iterable[Operation]) -> None:
    """Raise `NotKept` with the first violation of a session that there is."""
    of_session: defaultdict[Hashable, list[Operation]] = defaultdict(list)
    for operation in operations:
        of_session[operation.session].append(operation)
    for session, history in of_session.items():
        for rule in (_no_revocation_undone, _no_issue_lost, _no_scopes_undone):
            violation = rule(history)
            if violation:
                raise NotKept(f"session {session}: {violation}")


def _no_revocation_undone(history: list[Operation]) -> str:
    done = min((each.returned for each in history if each.kind == "revoke"), default=NEVER)
    for each in history:
        if each.called > done and each.returned != NEVER and _found(each):
            return f"its revocation was acknowledged at {done}, and then came {each}"
    return ""


def _no_issue_lost(history: list[Operation]) -> str:
    began = min((each.called for each in history if each.kind == "revoke"), default=NEVER)
    for each in history:
        if each.returned != NEVER and each.returned < began and not _found(each):
            return f"it was issued, nobody had begun to revoke it, and yet {each}"
    return ""


def _no_scopes_undone(history: list[Operation]) -> str:
    writers = {each.value: each for each in history if each.kind in ("issue", "update")}
    changes = [each for each in history if each.kind == "update" and each.answer is True]
    for each in history:
        if each.kind != "validate" or each.returned == NEVER or not _found(each):
            continue
        written = writers.get(each.answer)
        if written is None:
            return f"nobody wrote what was seen in {each}"
        for change in changes:
            if written.returned < change.called and change.returned < each.called:
                return f"it had been changed by {change}, and yet {each}"
    return ""


def _found(operation: Operation) -> bool:
    """Whether its answer says that the session was there."""
    return operation.answer is not None and operation.answer is not False
