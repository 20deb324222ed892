"""Random programs of calls, savepoints and ends, and a model of what survives of them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transactions import Desk

EXAMPLES = int(os.environ.get("COATCHECK_EXAMPLES", "100"))
"""Programs on each desk; more for a thorough run."""
CALL = st.sampled_from(("issue", "issue", "update", "revoke", "note"))
MOVE = st.sampled_from(("begin", "begin", "release", "rollback", "rollback outer"))
STEP = st.tuples(CALL | MOVE, st.integers(0, 3))
END = st.sampled_from(("commit", "commit", "rollback"))
PROGRAM = st.lists(st.tuples(st.lists(STEP, max_size=12), END), min_size=1, max_size=3)


@dataclass
class World:
    """What there is, and what is to be told of it once it has survived."""

    scopes: dict[str, int] = field(default_factory=dict)
    """By user, the number of the last update; no user has two sessions."""
    notes: list[str] = field(default_factory=list)
    events: list[tuple[str, str]] = field(default_factory=list)
    bounds: list[Any] = field(default_factory=list)
    """Which calls of `committed` will tell of them."""

    def copy(self) -> World:
        return World(dict(self.scopes), list(self.notes), list(self.events), list(self.bounds))


class Model:
    """The present, and for each transaction and savepoint that is open the past."""

    def __init__(self) -> None:
        self.now = World()
        self.past: list[World] = []

    def begin(self) -> None:
        self.past.append(self.now.copy())

    def release(self) -> None:
        self.past.pop()

    def rollback(self, levels: int = 1) -> None:
        for _ in range(levels):
            self.now = self.past.pop()


class Run:
    """One program on a desk and on the model, side by side."""

    def __init__(self, desk: Desk, *, bound_once: bool, eager: bool) -> None:
        self.desk, self.bound_once = desk, bound_once and desk.way == "session"
        self.eager = eager
        self.model = Model()
        self.ids: dict[str, Any] = {}
        self.number = 0

    def transaction(self, steps: list[Any], end: str) -> None:
        savepoints: list[Any] = []
        with self.desk.transaction() as transaction:
            self.model.begin()
            # Without a BEGIN a savepoint's release commits: `sqlite3` sends it late, with the
            # first change, and inside a savepoint never. Ours comes before any call.
            self.begun = self.eager
            # Before any savepoint, as the docs ask: later it may have to be refused.
            first = self.desk.within(transaction)
            once = first if self.bound_once else None
            for step, place in steps:
                if step in ("issue", "update", "revoke"):
                    self.call(step, place, once or self.desk.within(transaction))
                elif step == "note":
                    if savepoints and not self.begun:
                        continue
                    self.begun = True
                    self.number += 1
                    self.desk.note(transaction, f"note {self.number}")
                    self.model.now.notes.append(f"note {self.number}")
                else:
                    self.move(step, transaction, savepoints)
                assert self.desk.told == [], "nothing is told before the commit"
            if end == "commit":
                transaction.commit()
                self.model.past.clear()
            else:
                transaction.rollback()
                self.model.now = self.model.past[0]
                self.model.past.clear()
            if self.desk.way == "connection":
                for bound in self.model.now.bounds:
                    bound.committed()
        self.check()

    def call(self, step: str, place: int, bound: Any) -> None:
        self.begun = True
        now = self.model.now
        users = sorted(now.scopes)
        if step == "issue" or not users:
            self.number += 1
            user = f"user {self.number:03}"
            self.ids[user] = bound.issue(user, method="password").session.id
            now.scopes[user] = 0
            now.events.append(("session_issued", user))
        else:
            user = users[place % len(users)]
            if step == "update":
                self.number += 1
                assert bound.update(self.ids[user], scopes={str(self.number)})
                now.scopes[user] = self.number
                now.events.append(("session_updated", user))
            else:
                assert bound.revoke(self.ids[user])
                del now.scopes[user]
                now.events.append(("sessions_revoked", user))
        now.bounds.append(bound)
        inside = {s.user_id: s.scopes for s in bound.find()}
        assert inside == {u: frozenset({str(n)} if n else ()) for u, n in now.scopes.items()}

    def move(self, step: str, transaction: Any, savepoints: list[Any]) -> None:
        if step == "begin":
            savepoints.append(transaction.begin_nested())
            self.model.begin()
        elif savepoints and step == "release":
            savepoints.pop().commit()
            self.model.release()
        elif savepoints and step == "rollback":
            savepoints.pop().rollback()
            self.model.rollback()
        elif savepoints and step == "rollback outer":
            # A Connection wants them ended one by one.
            levels = min(2, len(savepoints)) if self.desk.way == "session" else 1
            outer = savepoints[-levels]
            del savepoints[-levels:]
            outer.rollback()
            self.model.rollback(levels)

    def check(self) -> None:
        """Others see what survived, and observers were told of just that, in its order."""
        now = self.model.now
        outside = {s.user_id: s.scopes for s in self.desk.witness.find(limit=1000)}
        assert outside == {u: frozenset({str(n)} if n else ()) for u, n in now.scopes.items()}
        assert self.desk.notes() == now.notes
        told = [args for args in self.desk.listener.take() if args[0] != "session_issuing"]
        assert [(event, _user(args[0])) for event, *args in told] == now.events
        now.events.clear()
        now.bounds.clear()


def _user(told: Any) -> str:
    return told[0].user_id if isinstance(told, list) else told.user_id


def check_programs(desk: Desk, engines: dict[bool, Any], examples: int = EXAMPLES) -> None:
    """Any program, on the desk and on the model, with any of these engines.

    :param engines: by whether it sends BEGIN by itself before the first statement.
    """

    @settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(program=PROGRAM, bound_once=st.booleans(), eager=st.sampled_from(sorted(engines)))
    def check(program: list[Any], bound_once: bool, eager: bool) -> None:
        desk.engine = engines[eager]
        desk.place.sql("DELETE FROM coatcheck_session")
        desk.place.sql("DELETE FROM note")
        desk.listener.take()
        run = Run(desk, bound_once=bound_once, eager=eager)
        for steps, end in program:
            run.transaction(steps, end)

    check()
