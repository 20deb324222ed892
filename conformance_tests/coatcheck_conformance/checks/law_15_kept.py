"""What was acknowledged survives the death of the process that wrote it, and of the store."""

from __future__ import annotations

import math
from time import monotonic, sleep
from typing import Any

from hypothesis import strategies as st

from coatcheck import BackendUnavailable, Capability

from ..frame.expecting import equal, holds
from ..frame.neighbour import killed_after
from ..frame.people import everything, people, populate
from ..frame.registry import check
from ..frame.stage import PEPPERS, Stage
from ..frame.trying import for_all
from ..frame.writer import after, write

STEPS = st.lists(
    st.tuples(st.sampled_from(("issue", "update", "update", "revoke")), st.integers(0, 999)),
    min_size=1,
    max_size=8,
).map(lambda steps: [("issue", 0), *steps])
ENDINGS = ("issue", "update", "revoke")
RECOVERY = 10.0
"""Seconds until a store that has died answers again."""


def _seen(sessions: Any, tokens: list[str]) -> list[str | None]:
    answers = [sessions.validate(token) for token in tokens]
    return [next(iter(answer.scopes)) if answer else None for answer in answers]


@check(15, shares=False)
def acknowledged_writes_survive_the_death_of_their_writer(stage: Stage) -> None:
    stage.need(Capability.DURABLE)
    url = stage.harness.second_process()
    stage.wanted = stage.profile.deaths

    @for_all(stage, steps=STEPS, until=st.integers(1, 9))
    def check(steps: list[Any], until: int) -> None:
        answers = killed_after(min(until, len(steps)), url, PEPPERS[0], stage.clock, steps)
        done = len(answers)
        tokens = [answer for answer in answers if answer.startswith("cck_")]
        seen = _seen(stage.manager(), tokens)
        # Of the step after the last acknowledgement nobody can know.
        possible = [after(steps[:n])[: len(tokens)] for n in (done, done + 1)]
        holds(seen in possible, f"what was acknowledged is there: one of {possible}, not {seen}")


@check(15, shares=False)
def acknowledged_writes_survive_the_death_of_the_store(stage: Stage) -> None:
    stage.need(Capability.DURABLE)
    stage.harness.crash()
    # What is lost may be the last step only, of one kind only.
    stage.wanted = math.ceil(stage.profile.deaths / len(ENDINGS))
    for last in ENDINGS:
        _the_store_dies_after(stage, last)


def _the_store_dies_after(stage: Stage, last: str) -> None:
    @for_all(stage, steps=STEPS)
    def check(steps: list[Any]) -> None:
        sessions = stage.manager()
        done = _ending(steps, last)
        answers = list(write(sessions, done))
        tokens = [answer for answer in answers if answer.startswith("cck_")]
        stage.harness.crash()
        _until_it_answers(sessions)
        equal(_seen(sessions, tokens), after(done), "what was acknowledged is there")
        for _ in range(5):
            holds(sessions.issue("user", method="password"), "it works as before")


def _ending(steps: list[Any], last: str) -> list[Any]:
    """These steps, a session of its own, and a step of this kind on that one."""
    steps = [*steps, ("issue", 0)]
    issued = sum(step == "issue" for step, _ in steps)
    return [*steps, (last, 1000 * issued - 1)]


def _until_it_answers(sessions: Any) -> None:
    latest = monotonic() + RECOVERY
    while True:
        try:
            sessions.ping()
        except BackendUnavailable:
            if monotonic() > latest:
                raise
            sleep(0.05)  # a server starts; no clock of ours can make that faster
        else:
            return


@check(15)
def what_was_written_stays_until_it_is_taken_away(stage: Stage) -> None:
    @for_all(stage, drawn=people(1, 4))
    def check(drawn: list[Any]) -> None:
        population = populate(stage, drawn)
        equal(everything(stage), population.model.sessions)


@check(15)
def preparing_again_loses_nothing(stage: Stage) -> None:
    @for_all(stage, drawn=people(1, 4), creates=st.lists(st.booleans(), min_size=1, max_size=3))
    def check(drawn: list[Any], creates: list[Any]) -> None:
        population = populate(stage, drawn)
        before = everything(stage)
        for create in creates:
            stage.ask("prepare", create)
        equal(everything(stage), before)
        equal(before, population.model.sessions)
