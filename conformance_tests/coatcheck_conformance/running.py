"""Runs the checks on a harness."""

from __future__ import annotations

import linecache
import logging
import math
import secrets
import traceback
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import contextmanager
from time import monotonic

from coatcheck import ConfigError

from .frame.expecting import Broken, in_words
from .frame.registry import Check, every_check, sharing
from .frame.stage import Stage
from .frame.trying import Counterexample
from .harness import Face, Harness, NotShown
from .laws import LAWS
from .profiles import QUICK, Profile
from .report import DOOR, Failure, Outcome, Report

HERE = __file__.rpartition("/")[0]
OPENS, CLOSES = "A backend opens and is prepared", "A backend closes"
EMPTIED = "The harness empties the store"


def run(
    harness: Harness,
    *,
    profile: Profile = QUICK,
    laws: Collection[int] | None = None,
    checks: Collection[str] | None = None,
    faces: Collection[Face] = tuple(Face),
    seed: int | None = None,
    heard: Callable[[Outcome], object] = lambda _: None,
    until: Callable[[Outcome], bool] = lambda _: False,
) -> Report:
    """Try a backend. What its harness keeps is erased.

    :param laws: their numbers; all laws, and what is of none alone, if not given.
    :param checks: names of checks, if only some are wanted.
    :param faces: under which managers.
    :param seed: from which everything is drawn; one at random if not given.
    :param heard: is told each outcome at once.
    :param until: the run ends after the first outcome for which it says yes.
    """
    seed = secrets.randbits(32) if seed is None else seed
    chosen = [
        check
        for check in every_check()
        if (laws is None or check.law in laws) and (checks is None or check.name in checks)
    ]
    report = Report()
    with _quiet():
        for outcome in _outcomes(harness, faces, profile, chosen, seed):
            report.outcomes.append(outcome)
            heard(outcome)
            if until(outcome):
                break
    return report


@contextmanager
def _quiet() -> Generator[None]:
    """Checks bring about what coatcheck logs; without a handler Python would print that."""
    log, nowhere = logging.getLogger("coatcheck"), logging.NullHandler()
    log.addHandler(nowhere)
    try:
        yield
    finally:
        log.removeHandler(nowhere)


def _outcomes(
    harness: Harness, faces: Collection[Face], profile: Profile, checks: list[Check], seed: int
) -> Iterator[Outcome]:
    for face in faces:
        try:
            stage = Stage(harness, face, profile, seed)
        except NotShown as missing:
            for check in checks:
                yield unshown(harness, face, check, str(missing))
            continue
        except Exception as error:  # noqa: BLE001 - a backend that cannot be opened keeps no law
            yield _at_the_door(harness, face, seed, OPENS, error)
            continue
        failed: list[Exception] = []
        with _closing(stage, failed):
            for check in checks:
                yield tried(stage, check, len(faces))
        for unclosed in failed:
            yield _at_the_door(harness, face, seed, CLOSES, unclosed)


@contextmanager
def _closing(stage: Stage, failed: list[Exception]) -> Generator[None]:
    """Closes the stage at the end; what that raises is kept, and hides no outcome."""
    try:
        yield
    finally:
        try:
            stage.close()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            failed.append(error)


def tried(stage: Stage, check: Check, faces: int = 2) -> Outcome:
    """What becomes of this check on this stage."""
    began = monotonic()
    failure, reason = None, ""
    try:
        stage.begin(check.name, share(stage.profile, check, faces), faces)
    except Exception as error:  # noqa: BLE001 - no law was broken, since none was tried
        return _at_the_door(stage.harness, stage.face, stage.run_seed, EMPTIED, error)
    try:
        check.body(stage)
    except NotShown as missing:
        reason = str(missing)
    except Exception as error:  # noqa: BLE001 - whatever it is, the law was not kept
        failure = failure_of(check, error, stage)
    return Outcome(
        harness=name_of(stage.harness),
        face=str(stage.face),
        law=check.law,
        heading=check.heading,
        check=check.name,
        examples=stage.examples,
        seconds=monotonic() - began,
        seed=stage.run_seed,
        not_shown=reason,
        failure=failure,
    )


def share(profile: Profile, check: Check, faces: int) -> int:
    """What is wanted of one check, so that those of a law do enough under all managers."""
    return max(profile.least, math.ceil(profile.examples / sharing(check) / faces))


def unshown(harness: Harness | type[Harness], face: Face, check: Check, reason: str) -> Outcome:
    """Of a check that is not tried at all."""
    return Outcome(name_of(harness), str(face), check.law, check.heading, check.name, 0, 0.0, 0,
                   not_shown=reason)  # fmt: skip


def _at_the_door(harness: Harness, face: Face, seed: int, words: str, error: Exception) -> Outcome:
    """Of a backend that did not open, or did not close."""
    # What is wrong with a backend's hooks or options is told to the word; nobody's code failed.
    is_told = isinstance(error, ConfigError)
    came, trace = (in_words(error), "") if is_told else ("", _traced(error))
    failure = Failure(0, words, "", "", came, {}, [], trace)
    check = words.lower().replace(" ", "_")
    return Outcome(name_of(harness), str(face), 0, DOOR, check, 0, 0.0, seed,
                   failure=failure)  # fmt: skip


def name_of(harness: Harness | type[Harness]) -> str:
    """What a report calls it."""
    kind = harness if isinstance(harness, type) else type(harness)
    return getattr(harness, "name", kind.__name__)


def failure_of(check: Check, error: BaseException, stage: Stage) -> Failure:
    """What a check that raised has found."""
    drawn: dict[str, str] = {}
    history = stage.story.lines()
    if isinstance(error, Counterexample):
        drawn, history, error = error.drawn, error.story, error.cause
    law = check.law
    expected = actual = ""
    if isinstance(error, Broken):
        law = error.law or law
        expected, actual = stage.story.names().of_both(error.expected, error.actual)
    words = LAWS[law].words if law else check.words
    is_answer = isinstance(error, AssertionError)
    return Failure(
        law,
        words,
        _message(error) if is_answer else "",
        expected,
        actual,
        drawn,
        history,
        "" if is_answer else _traced(error),
    )


def _message(error: BaseException) -> str:
    """The words of an assertion, or else its line."""
    if str(error):
        return str(error)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(HERE)]
    inside = [frame for frame in frames if "/frame/" not in frame.filename] or frames
    return linecache.getline(inside[-1].filename, inside[-1].lineno or 0).strip() if inside else ""


def _traced(error: BaseException) -> str:
    """Without what only the suite and its tools were doing."""
    return "".join(traceback.format_exception(error, limit=-6)).rstrip()
