"""What an author is told: of hooks that do not fit, of exceptions, of another process, of spans."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta

import pytest

from coatcheck import SessionManager, hookimpl
from coatcheck_backends.memory import MemoryBackend
from coatcheck_conformance import Face, Outcome, run
from coatcheck_conformance.clock import Clock
from coatcheck_conformance.frame.expecting import Broken
from coatcheck_conformance.frame.neighbour import Neighbour
from coatcheck_conformance.frame.stage import PEPPERS
from coatcheck_conformance.frame.story import Names
from coatcheck_conformance.report import told
from zoo.harnesses import InMemory


class OtherArgument(MemoryBackend):
    @hookimpl
    def touch(self, session_id, at): ...


class ArgumentMissing(MemoryBackend):
    @hookimpl
    def touch(self, session_id): ...


class Unmarked(MemoryBackend):
    def touch(self, session_id, now): ...


class Misspelt(MemoryBackend):
    @hookimpl
    def tuoch(self, session_id, now): ...


class Raising(MemoryBackend):
    @hookimpl
    def touch(self, session_id, now):
        raise ZeroDivisionError(f"session {session_id} is divided by nothing")


def failures_of(backend: MemoryBackend) -> list[Outcome]:
    return run(InMemory(backend), laws={4}, faces=[Face.SYNC], seed=1).failures


@pytest.mark.parametrize(
    ("backend", "words"),
    [
        (OtherArgument, ("touch", "'at'")),
        (ArgumentMissing, ("touch must take exactly these arguments", "(session_id, now)")),
        (Unmarked, ("touch is not marked with coatcheck.hookimpl",)),
        (Misspelt, ("unknown hook tuoch", "did you mean touch?")),
    ],
)
def test_hooks_that_do_not_fit_are_told_once_before_any_check(
    backend: type[MemoryBackend], words: tuple[str, ...]
) -> None:
    report = run(InMemory(backend()), faces=[Face.SYNC])
    [outcome] = report.outcomes
    lines = list(told(outcome, "again"))
    [came] = [line for line in lines if line.startswith("  came: ")]
    assert all(word in came for word in words)
    assert not any(line.startswith("  |") for line in lines)
    assert report.table()[-1] == "not tried: 19 laws"


def test_an_exception_is_told_with_its_trace_and_nothing_said_twice() -> None:
    [outcome, *_] = failures_of(Raising())
    text = "\n".join(told(outcome, "again"))
    assert "should be" not in text
    assert text.count(outcome.check.replace("_", " ")) == 1
    assert "-> ZeroDivisionError: session A is divided by nothing\n" in text
    assert "| ZeroDivisionError: session " in text


def test_what_the_other_process_raised_is_what_is_told_each_time() -> None:
    with closing(Neighbour("nosuch:", PEPPERS[0], Clock())) as neighbour:
        for _ in range(2):
            with pytest.raises(Broken) as caught:
                neighbour.ask("validate", "a token")
            assert str(caught.value.actual).startswith("ConfigError: no backend is installed")


def test_the_other_process_goes_on_after_an_error_and_says_how_it_ended(tmp_path) -> None:
    url = f"sqlite:///{tmp_path}/sessions.db"
    SessionManager.open(url, pepper=PEPPERS[0]).close()
    with closing(Neighbour(url, PEPPERS[0], Clock())) as neighbour:
        with pytest.raises(Broken) as caught:
            neighbour.ask("revoke", "no id")
        assert "ValueError: badly formed" in str(caught.value.actual)
        assert neighbour.ask("validate", "no token") == "malformed"
        assert neighbour.kill() == []
        with pytest.raises(Broken) as caught:
            neighbour.ask("validate", "no token")
        assert caught.value.actual == "it ended, with the exit code -9"


def test_the_other_process_has_a_limit_for_its_answer() -> None:
    with closing(Neighbour("memory:", PEPPERS[0], Clock(), limit=0.001)) as neighbour:
        with pytest.raises(Broken) as caught:
            neighbour.ask("validate", "a token")
        assert caught.value.actual == "no answer within 0.001 s"


@pytest.mark.parametrize(
    ("span", "said"),
    [
        ({"days": 365}, "365 days"),
        ({"days": 365, "milliseconds": 1}, "365 days 0.001 s"),
        ({"days": 1, "hours": 2}, "1 day 2 h"),
        ({"seconds": 1.5}, "1.5 s"),
        ({"seconds": 90}, "1 min 30 s"),
        ({"seconds": 10}, "10 s"),
        ({"microseconds": 1}, "0.000001 s"),
        ({"seconds": -3}, "-3 s"),
        ({}, "0 s"),
    ],
)
def test_a_span_is_said_as_one_would_and_to_the_microsecond(
    span: dict[str, float], said: str
) -> None:
    assert Names().of(timedelta(**span)) == said
