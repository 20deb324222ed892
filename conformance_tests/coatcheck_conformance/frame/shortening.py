"""The steps of a history that failed, and the fewest of them that still fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple, cast

from coatcheck import CoatcheckError, InvalidInput, Unsupported

from .expecting import Broken
from .playing import Play
from .stage import Stage
from .trying import Counterexample

LAWS_OF_CALLS: Final = {
    "issue": 1, "validate": 1, "validate_everywhere": 1, "get": 1, "update": 1, "find": 13,
    "update_all": 7, "revoke": 5, "revoke_all": 7, "purge": 14, "status": 10,
}  # fmt: skip
"""Which law a call breaks that gives no answer at all, though the store is well."""


class Step(NamedTuple):
    """A call of `Play`."""

    call: str
    args: tuple[Any, ...]
    options: dict[str, Any]

    def take(self, play: Play) -> None:
        """Do it, and compare the store. Raises what is not as it should be."""
        try:
            getattr(play, self.call)(*self.args, **self.options)
            play.compare()
        except CoatcheckError as error:
            law = LAWS_OF_CALLS.get(self.call)
            raise Broken("it is answered", actual=error, law=law) from error


def failing(stage: Stage, steps: list[Step]) -> Counterexample | None:
    """What these steps break, in this order; `None` if it is nothing."""
    play = Play(stage)
    for step in steps:
        if not play.tokens and step.call not in ("issue", "set_clock"):
            return None
        try:
            step.take(play)
        except Exception as error:  # noqa: BLE001 - whatever it is, the law was not kept
            if isinstance(error.__cause__, InvalidInput | Unsupported):
                return None  # what was left out was needed for a call at all
            return Counterexample(error, {}, stage.story.lines())
    return None


def shortest(stage: Stage, steps: list[Step], found: Counterexample) -> Counterexample:
    """The failure without any step or argument that it does not need. Hypothesis, which knows
    nothing of histories, takes longer and leaves more of them."""
    is_shorter = True
    while is_shorter:
        is_shorter = False
        for fewer in _shorter(steps):
            failed = failing(stage, fewer)
            if failed is not None and _kind(failed) == _kind(found):
                steps, found, is_shorter = fewer, failed, True
                break
    return found


def _shorter(steps: list[Step]) -> Iterator[list[Step]]:
    """The steps without one of them, and then with one of them made simpler."""
    places = range(len(steps) - 1, -1, -1)
    for place in places:
        yield steps[:place] + steps[place + 1 :]
    for place in places:
        for simpler in _simpler(steps[place]):
            yield [*steps[:place], simpler, *steps[place + 1 :]]


def _simpler(step: Step) -> Iterator[Step]:
    """The step without one of its fields or filters."""
    if step.call == "issue":
        for name in step.options:
            yield step._replace(options=_without(step.options, name))
    for place, argument in enumerate(step.args):
        if isinstance(argument, dict):
            fields = cast(dict[str, Any], argument)
            for name in fields:
                args = (*step.args[:place], _without(fields, name), *step.args[place + 1 :])
                yield step._replace(args=args)


def _without(fields: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}


def _kind(failed: Counterexample) -> object:
    cause = failed.cause
    return cause.law if isinstance(cause, Broken) else type(cause)
