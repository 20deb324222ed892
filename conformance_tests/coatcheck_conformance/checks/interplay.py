"""Any history of calls gives what the model gives, with the clock at every deadline."""

from __future__ import annotations

import itertools
import math
from datetime import datetime, timedelta
from typing import Any

from hypothesis import seed
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ..clock import MILLISECOND, SECOND
from ..frame.people import ENDS, METHODS, SCOPE_SETS, USERS, filters
from ..frame.playing import MANAGERS, Play
from ..frame.registry import check_of
from ..frame.shortening import Step, shortest
from ..frame.stage import Stage
from ..frame.trying import Counterexample, budget
from ..model import Facts

STEPS = 30
HASTY: dict[str, timedelta | None] = {"lifetime": 5 * SECOND, "inactivity_timeout": SECOND}
METADATA: tuple[dict[str, Any], ...] = ({}, {"a.b": [1, None]}, {"": {"$ne": 1.0}})
INTERVALS = (timedelta(minutes=1), SECOND, timedelta(milliseconds=250))
# One draw for a whole call: Hypothesis takes its time over each.
DESK = st.sampled_from((*MANAGERS, "first", "rotated", "elsewhere"))
PLACE = st.integers(0, 7)
ISSUES = st.sampled_from(
    tuple(itertools.product(USERS[:4], METHODS, SCOPE_SETS, (*ENDS, HASTY), METADATA))
)
SPELLINGS = st.sampled_from((*["right"] * 6, "wrong secret", "malformed"))
CHOICES: dict[str, tuple[Any, ...]] = {
    "scopes": SCOPE_SETS[:5],
    "metadata": METADATA,
    "expires_at": (None, 1, 999, 1000, 5000, 30_000),  # milliseconds from now
    "inactivity_timeout": (None, SECOND, 5 * SECOND, 30 * SECOND),
}
FIELDS = st.sampled_from(
    [
        dict(zip(names, values, strict=True))
        for size in range(1, len(CHOICES) + 1)
        for names in itertools.combinations(CHOICES, size)
        for values in itertools.product(*(CHOICES[name] for name in names))
    ]
)
BULK = ("user_id", "method", "pepper_id")
CALLS = ("validate", "validate", "update", "update_all", "purge", "find")
AROUND = st.sampled_from(
    [timedelta(milliseconds=n, microseconds=more) for n in (-1, 0, 1) for more in (0, 999)]
)


def _deadlines(facts: Facts) -> list[datetime]:
    """Every instant at which something changes for this session."""
    ends = [facts.expires_at] if facts.expires_at else []
    if facts.inactivity_timeout is not None:
        ends.append(facts.last_used_at + facts.inactivity_timeout)
    return ends + [facts.last_used_at + facts.interval(interval) for interval in INTERVALS]


Failed = tuple[list[Step], Counterexample]
Issue = tuple[str, str, frozenset[str], dict[str, Any], dict[str, Any]]


class Interplay(RuleBasedStateMachine):
    """The calls of several managers and a moving clock, in any order.

    What it works on is set by `machine`.
    """

    stage: Stage
    failed: list[Failed]

    @initialize(drawn=st.lists(ISSUES, max_size=4))
    def start(self, drawn: list[Issue]) -> None:
        self.play = Play(self.stage)
        self.steps: list[Step] = []
        for each in drawn:
            self._issue("first", each)

    def do(self, call: str, *args: Any, **options: Any) -> None:
        """A step, after which the store is compared."""
        self.steps.append(Step(call, args, options))
        try:
            self.steps[-1].take(self.play)
        except Exception as error:  # whatever it is, these steps lead to it, and it goes on
            story = self.stage.story.lines()
            self.failed[:] = [(self.steps, Counterexample(error, {}, story))]
            raise
        self.stage.examples += 1

    def fields(self, drawn: dict[str, Any]) -> dict[str, Any]:
        """With an instant for milliseconds from now."""
        wait = drawn.get("expires_at")
        return {**drawn, "expires_at": self.play.now + wait * MILLISECOND} if wait else drawn

    def _issue(self, desk: str, drawn: Issue) -> None:
        user, method, scopes, ends, metadata = drawn
        self.do("issue", desk, user, method, scopes=scopes, metadata=metadata, **ends)

    @rule(desk=DESK, drawn=ISSUES)
    def issue(self, desk: str, drawn: Issue) -> None:
        self._issue(desk, drawn)

    @precondition(lambda self: self.play.tokens)
    @rule(desk=DESK, place=PLACE, touch=st.sampled_from((True, True, False)), spelling=SPELLINGS)
    def validate(self, desk: str, place: int, touch: bool, spelling: str) -> None:
        self.do("validate", desk, place, touch=touch, spelling=spelling)

    @precondition(lambda self: self.play.tokens)
    @rule(place=PLACE)
    def validate_everywhere(self, place: int) -> None:
        self.do("validate_everywhere", place)

    @precondition(lambda self: self.play.tokens)
    @rule(desk=DESK, place=PLACE)
    def get(self, desk: str, place: int) -> None:
        self.do("get", desk, place)

    @precondition(lambda self: self.play.tokens)
    @rule(desk=DESK, place=PLACE, fields=FIELDS)
    def update(self, desk: str, place: int, fields: dict[str, Any]) -> None:
        self.do("update", desk, place, self.fields(fields))

    @precondition(lambda self: self.play.model.sessions)
    @rule(desk=DESK, drawn=filters(*BULK), fields=FIELDS)
    def update_all(self, desk: str, drawn: dict[str, Any], fields: dict[str, Any]) -> None:
        chosen = self.play.people.named(drawn)
        self.do("update_all", desk, chosen, self.fields(fields))

    @precondition(lambda self: self.play.tokens)
    @rule(desk=DESK, place=PLACE)
    def revoke(self, desk: str, place: int) -> None:
        self.do("revoke", desk, place)

    @precondition(lambda self: self.play.model.sessions)
    @rule(desk=DESK, drawn=filters(*BULK, "scope"), kept=st.sampled_from(((), (0,), (1, 3))))
    def revoke_all(self, desk: str, drawn: dict[str, Any], kept: tuple[int, ...]) -> None:
        self.do("revoke_all", desk, self.play.people.named(drawn), kept)

    @precondition(lambda self: self.play.model.sessions and self.stage.scans)
    @rule(desk=DESK, expired=st.booleans(), inactive=st.booleans(),
          batch=st.sampled_from((1, 2, 1000)))  # fmt: skip
    def purge(self, desk: str, expired: bool, inactive: bool, batch: int) -> None:
        self.do("purge", desk, batch, expired=expired, inactive=inactive)

    @precondition(lambda self: self.play.tokens)
    @rule(desk=DESK, drawn=filters(*BULK, "scope", "live"), size=st.sampled_from((100, 1, 2)))
    def find(self, desk: str, drawn: dict[str, Any], size: int) -> None:
        self.do("find", desk, self.play.people.named(drawn), size)

    @precondition(lambda self: self.play.model.sessions and self.stage.scans)
    @rule(desk=DESK)
    def status(self, desk: str) -> None:
        self.do("status", desk)

    @precondition(lambda self: self.play.model.sessions)
    @rule(number=st.integers(0, 39), around=AROUND)
    def go_to_a_deadline(self, number: int, around: timedelta) -> None:
        self.do("set_clock", self.deadline(number) + around)

    @precondition(lambda self: self.play.model.sessions)
    @rule(desk=DESK, number=st.integers(0, 39), around=AROUND, call=st.sampled_from(CALLS),
          fields=FIELDS)  # fmt: skip
    def call_at_a_deadline(
        self, desk: str, number: int, around: timedelta, call: str, fields: dict[str, Any]
    ) -> None:
        chosen = self.play.model.sessions.get(self.play.chosen(number))
        self.do("set_clock", self.deadline(number) + around)
        user = {"user_id": chosen.user_id if chosen else USERS[0]}
        if call == "validate":
            self.do(call, desk, number, touch=True)
        elif call == "update":
            self.do(call, desk, number, self.fields(fields))
        elif call == "update_all":
            self.do(call, desk, user, self.fields(fields))
        elif call == "purge" and self.stage.scans:
            self.do(call, desk, 1000, expired=True, inactive=True)
        else:
            self.do("find", desk, {**user, "live": bool(number % 2)}, 100)

    def deadline(self, number: int) -> datetime:
        """An instant at which something changes for the session of this place."""
        facts = self.play.model.sessions.get(self.play.chosen(number))
        deadlines = _deadlines(facts) if facts else [self.play.now]
        return deadlines[number % len(deadlines)]

    @rule(span=st.sampled_from((1, 250, 999, 1000, 1001, 5000, 60_000, -1, -3000)))
    def wait(self, span: int) -> None:
        self.do("set_clock", self.play.now + span * MILLISECOND)


def machine(stage_: Stage, failed_: list[Failed]) -> type[Interplay]:
    """A machine over this stage, made anew for each, as Hypothesis wants it."""

    class OnStage(Interplay):
        stage = stage_
        failed = failed_

    return OnStage


@check_of("interplay", shares=False)
def any_history_gives_what_the_model_gives(stage: Stage) -> None:
    wanted = math.ceil(stage.profile.steps / stage.faces)
    failed: list[Failed] = []
    # Some histories end early, so it takes another round to make up for their steps.
    for number in itertools.count():
        histories = math.ceil((wanted - stage.examples) / STEPS)
        if histories <= 0:
            return
        settings = budget(stage, histories, shrink=False, stateful_step_count=STEPS)
        tried = seed(stage.seed + number)(machine(stage, failed))
        try:
            run_state_machine_as_test(tried, settings=settings)
        except Exception as error:
            if not failed:  # Hypothesis's own, such as of a rule that cannot be reached
                raise error from None
            steps, found = failed[0]
            if stage.profile.shrink:
                found = shortest(stage, steps, found)
            raise found from found.cause
