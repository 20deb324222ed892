"""What was acknowledged survives a SIGKILL of the process that wrote it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st

from people import everything, people, populate
from stages import LEAST, Stage, for_all
from writers import killed_after
from zoo import Broken, breaking

STEPS = st.lists(
    st.tuples(st.sampled_from(("issue", "update", "update", "revoke")), st.integers(0, 999)),
    min_size=1,
    max_size=8,
)


def _after(steps: list[tuple[str, int]]) -> list[str | None]:
    """The scope of each session that was issued, `None` for one that was revoked."""
    scopes: list[str | None] = []
    for step, number in steps:
        place = number % len(scopes) if scopes else 0
        if step == "issue":
            scopes.append(f"scope-{number}")
        elif scopes and step == "update":
            scopes[place] = scopes[place] and f"scope-{number}"
        elif scopes:
            scopes[place] = None
    return scopes


def _seen(sessions: Any, tokens: list[str]) -> list[str | None]:
    answers = [sessions.validate(token) for token in tokens]
    return [next(iter(answer.scopes)) if answer else None for answer in answers]


def test_acknowledged_writes_survive_the_death_of_their_writer(stage: Stage) -> None:
    if "durable" not in stage.backend.info().capabilities:
        _may_forget(stage)
        return

    stage.wanted = LEAST  # each kills a process; the other test makes up for it

    @for_all(stage, steps=st.just(("issue", 0)).flatmap(lambda s: STEPS.map(lambda t: [s, *t])),
             until=st.integers(1, 9))  # fmt: skip
    def check(steps: list, until: int) -> None:
        opener = stage.subject.open_backend
        until = min(until, len(steps))
        answers = killed_after(until, opener, stage.directory, steps)
        done = len(answers)
        assert done >= until, "it was killed after so many, and not before"
        tokens = [answer for answer in answers if answer.startswith("cck_")]
        sessions = stage.manager()
        seen = _seen(sessions, tokens)
        # Of the step after the last acknowledgement nobody can know.
        possible = [_after(steps[:n])[: len(tokens)] for n in (done, done + 1)]
        assert seen in possible
        assert sessions.count() - sum(scope is not None for scope in seen) in (0, 1)


def _may_forget(stage: Stage) -> None:
    """Only what keeps sessions in the process's own memory; while that lives they stay."""
    assert stage.subject.backend in ("memory", "required hooks only")

    @for_all(stage, drawn=people(1, 4))
    def check(drawn: list) -> None:
        population = populate(stage, drawn)
        assert everything(stage) == population.model.sessions


def test_preparing_again_loses_nothing(stage: Stage) -> None:
    stage.wanted = 2 * stage.wanted - LEAST

    @for_all(stage, drawn=people(1, 4), creates=st.lists(st.booleans(), min_size=1, max_size=3))
    def check(drawn: list, creates: list) -> None:
        population = populate(stage, drawn)
        before = everything(stage)
        for create in creates:
            stage.ask("prepare", create)
        assert everything(stage) == before == population.model.sessions


@pytest.mark.parametrize("broken", breaking(15), ids=str)
def test_law_15_is_shown_to_reject(broken: Broken, tmp_path) -> None:
    assert broken.is_rejected_by(globals(), tmp_path) is not None
