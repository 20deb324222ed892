"""Properties, tried on a stage by Hypothesis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.errors import UnsatisfiedAssumption

from ..harness import NotShown
from .expecting import Broken
from .stage import Stage


class Counterexample(Exception):  # noqa: N818 - it carries the failure to whoever reports it
    """The last example that failed; of those found, the shortest.

    :param drawn: what was drawn for it, by name.
    :param story: what happened in it, a line for each call.
    """

    def __init__(self, cause: BaseException, drawn: dict[str, str], story: list[str]) -> None:
        super().__init__(str(cause))
        self.cause, self.drawn, self.story = cause, drawn, story


LONGEST_VALUE = 200
FEWEST = 10
"""Examples, of which any property can give more. Some can give no more than a few hundred
different ones, and are then tried with every one."""


def budget(stage: Stage, examples: int, *, shrink: bool = True, **more: Any) -> settings:
    """Hypothesis's settings for so many examples."""
    phases = [Phase.explicit, Phase.generate]
    return settings(
        deadline=None,
        max_examples=examples,
        database=None,
        phases=[*phases, Phase.shrink] if shrink and stage.profile.shrink else phases,
        report_multiple_bugs=False,
        verbosity=Verbosity.quiet,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.filter_too_much,
        ],
        **more,
    )


def for_all(stage: Stage, **strategies: Any) -> Callable[[Callable[..., None]], None]:
    """Decorate a function with the strategies of its arguments, and it is tried at once.

    Every example finds the stage empty.
    """

    def run(property_: Callable[..., None]) -> None:
        before = stage.examples
        failed: list[Counterexample] = []

        def example(**drawn: Any) -> None:
            stage.clear()
            try:
                property_(**drawn)
            except (UnsatisfiedAssumption, NotShown):
                raise
            except Exception as error:
                failed[:] = [Counterexample(error, _shown(stage, drawn), stage.story.lines())]
                raise
            stage.examples += 1

        # Hypothesis names a property in what it raises of its own.
        example.__name__ = property_.__qualname__.partition(".")[0]
        tried = seed(stage.seed)(budget(stage, stage.wanted)(given(**strategies)(example)))
        try:
            tried()
        except Exception as error:
            if failed:
                raise failed[0] from failed[0].cause
            raise error from None
        number = stage.examples - before
        if number < min(FEWEST, stage.wanted):
            raise Broken(f"the strategies gave only {number} of {stage.wanted} examples")

    return run


def _shown(stage: Stage, drawn: dict[str, Any]) -> dict[str, str]:
    shown: dict[str, str] = {}
    names = stage.story.names()
    for name, value in drawn.items():
        text = names.of(value)
        shown[name] = text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]} ..."
    return shown
