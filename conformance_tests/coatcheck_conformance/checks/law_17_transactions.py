"""Changes in a transaction are seen inside it, and appear at its commit or not at all."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from coatcheck import Unsupported

from ..frame.expecting import equal, identical, raises
from ..frame.observers import Recorder
from ..frame.registry import check
from ..frame.stage import PEPPERS, Stage
from ..frame.story import Narrated
from ..frame.trying import for_all
from ..harness import Transaction

CALLS = st.tuples(
    st.sampled_from(("issue", "update", "update_all", "revoke", "validate", "bad token")),
    st.integers(0, 9),
)
SAVEPOINTS = st.tuples(st.sampled_from(("release", "roll back")), st.lists(CALLS, max_size=3))
STEPS = st.lists(CALLS | SAVEPOINTS, min_size=1, max_size=6)


class Inside:
    """Drives a bound manager, and keeps what should be there and what should be told."""

    def __init__(self, stage: Stage, manager: Any, bound: Any, issued: list[Any]) -> None:
        self.stage, self.bound = stage, bound
        self.outside = manager
        self.scopes = {each.session.id: each.session.scopes for each in issued}
        self.tokens = {each.session.id: each.token for each in issued}
        self.told: list[tuple[Any, ...]] = []

    def do(self, call: str, number: int) -> None:
        ids = sorted(self.tokens)
        chosen = ids[number % len(ids)]
        scopes = frozenset({f"scope-{number}"})
        if call == "issue":
            new = self.bound.issue("user", method="password", scopes=scopes)
            self.scopes[new.session.id] = scopes
            self.tokens[new.session.id] = new.token
            self.told.append(("issued", new.session.id))
        elif call == "update":
            answer = self.bound.update(chosen, scopes=scopes)
            identical(bool(answer), chosen in self.scopes)
            if answer:
                self.scopes[chosen] = scopes
                self.told.append(("updated", chosen, scopes, frozenset({"scopes"})))
        elif call == "update_all":
            equal(self.bound.update_all(user_id="user", scopes=scopes), len(self.scopes))
            if self.scopes:
                self.scopes = dict.fromkeys(self.scopes, scopes)
                self.told.append(("all updated", len(self.scopes), frozenset({"scopes"})))
        elif call == "revoke":
            identical(self.bound.revoke(chosen), self.scopes.pop(chosen, None) is not None)
            if len(self.scopes) < len(self.seen):
                self.told.append(("revoked", (chosen,)))
        else:
            self._validate(chosen, call == "bad token")
        self.check()

    def _validate(self, chosen: Any, bad: bool) -> None:
        self.stage.relay.calls.clear()
        answer = self.bound.validate(self.tokens[chosen] + "x" * bad)
        equal(answer.scopes if answer else None, None if bad else self.scopes.get(chosen))
        if not answer:
            reason = "malformed" if bad else "unknown"
            self.told.append(("rejected", None if bad else chosen, reason))
        equal(self.stage.relay.writes, [], "neither a touch nor a rewrite, though both are due")

    def check(self) -> None:
        """Inside, everything is seen at once."""
        found = {session.id: session.scopes for session in self.bound.find(user_id="user")}
        equal(found, self.scopes)
        equal(self.bound.count(user_id="user"), len(self.scopes))
        self.seen = dict(self.scopes)


@check(17)
def a_transaction_is_seen_inside_and_appears_whole_or_not_at_all(stage: Stage) -> None:
    if "transactions" not in stage.relay.info().capabilities:
        _is_refused(stage)
        return

    kinds = tuple(stage.harness.transactions(stage.face))

    @for_all(stage, kind=st.sampled_from(kinds), steps=STEPS,
             commit=st.booleans())  # fmt: skip
    def check(kind: str, steps: list[Any], commit: bool) -> None:
        recorder = stage.remembered("recorder", Recorder)
        options = {"touch_interval": timedelta(0), "plugins": (recorder,)}
        sessions = stage.manager(fallback_peppers=(PEPPERS[1],), **options)
        issuer = stage.manager(pepper=PEPPERS[1])
        issued = [issuer.issue("user", method="password", scopes={"old"}) for _ in range(2)]
        before = {each.session.id: each.session.scopes for each in issued}
        recorder.told.clear()
        rolled_back = False
        with stage.harness.transaction(kind, stage.face, stage.wait) as transaction:
            bound = sessions.manager.within(transaction.handle)
            face = Narrated(bound, stage.story, stage.runner if stage.asynchronous else None)
            inside = Inside(stage, sessions, face, issued)
            inside.check()
            for name, argument in steps:
                if name in ("release", "roll back"):
                    rolled_back |= _within_savepoint(inside, transaction, name, argument)
                else:
                    inside.do(name, argument)
            outside = {each.id: each.scopes for each in sessions.find(user_id="user")}
            equal(outside, before, "nothing of it is seen outside")
            equal(recorder.told, [], "nobody is told before the end")
            transaction.commit() if commit else transaction.rollback()
        after = {each.id: each.scopes for each in sessions.find(user_id="user")}
        equal(after, inside.scopes if commit else before)
        if transaction.tells:
            equal(recorder.told, inside.told if commit else [])
            face.committed()
            equal(recorder.told, inside.told if commit else [], "told once")
        else:
            equal(recorder.told, [], "of its end nobody can know")
            if commit and not rolled_back:
                face.committed()
                equal(recorder.told, inside.told)


def _within_savepoint(
    inside: Inside, transaction: Transaction, end: str, calls: list[tuple[str, int]]
) -> bool:
    """Whether something to tell was rolled back."""
    saved = dict(inside.scopes), list(inside.told)
    savepoint = transaction.savepoint() if transaction.savepoint else None
    for call in calls:
        inside.do(*call)
    if savepoint is None:
        return False
    if end == "release":
        savepoint.commit()
        dropped = False
    else:
        savepoint.rollback()
        dropped = len(inside.told) > len(saved[1])
        inside.scopes, inside.told = saved
    inside.check()
    return dropped


def _is_refused(stage: Stage) -> None:
    """A backend that declares no transactions takes none, whatever it is."""

    @for_all(stage, transaction=st.none() | st.text() | st.integers() | st.builds(object))
    def check(transaction: object) -> None:
        with raises(Unsupported, match="transactions"):
            stage.manager().within(transaction)
