"""A few sessions of all kinds, issued through a manager and into a model."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

import coatcheck

from ..model import Facts, Model, facts_of
from .stage import PEPPERS, Stage

USERS = ("ann", "Ann", "an", "ann ", "a%", "bob")
METHODS = ("password", "passkey", "pass")
SCOPES = ("read", "Read", "read:all")
SECOND = timedelta(seconds=1)
ENDS: tuple[dict[str, timedelta | None], ...] = (
    {"lifetime": None, "inactivity_timeout": None},
    {"lifetime": 10 * SECOND, "inactivity_timeout": None},
    {"lifetime": None, "inactivity_timeout": 10 * SECOND},
    {"lifetime": 20 * SECOND, "inactivity_timeout": 10 * SECOND},
    {"lifetime": 10 * SECOND, "inactivity_timeout": 20 * SECOND},
)
MOMENTS = tuple(
    end * SECOND + offset * timedelta(milliseconds=1)
    for end in (0, 10, 20)
    for offset in (-1, 0, 1)
)[1:]
"""Instants after the issue at which some have ended and others have not."""


SCOPE_SETS = tuple(
    frozenset(chosen) for size in range(3) for chosen in itertools.combinations(SCOPES, size)
)
# One draw for a whole person: Hypothesis takes its time over each.
PERSONS = tuple(
    itertools.product(USERS, METHODS, SCOPE_SETS, ENDS, (0, 0, 1), (0, 0, 0, 1)),
)


def people(least: int = 0, most: int = 6) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    """Drawn sessions: user, method, scopes, ends, place of the pepper, wait before it."""
    person = st.sampled_from(PERSONS)
    return st.lists(person, min_size=max(least, most // 2), max_size=most) | st.lists(
        person, min_size=least, max_size=most
    )


TARGET = object()
"""As a filter: the value that one of the sessions has."""


def filters(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    """Any subset of these filters, half of the time with the values of one and the same
    session. See `Population.named`."""
    pools: dict[str, tuple[Any, ...]] = {
        "user_id": (*USERS, "nobody"),
        "method": METHODS,
        "scope": (*SCOPES, "rea"),
        "live": (True, False),
        "pepper_id": ("first", "second", "0123456789abcdef"),
    }
    pools = {name: (TARGET, *pools[name]) for name in names}
    sizes = range(len(names) + 1)
    subsets = [subset for size in sizes for subset in itertools.combinations(names, size)]
    # One filter alone shows best that it is not ignored.
    subsets += [(name,) for name in names] * 2
    return st.builds(_chosen, st.sampled_from(subsets), st.just(pools), st.integers(0, 2**32))


def _chosen(
    subset: tuple[str, ...], pools: dict[str, tuple[Any, ...]], number: int
) -> dict[str, Any]:
    """A value of its pool for each name: the target's every other time."""
    chosen: dict[str, Any] = {}
    for name in subset:
        number, own = divmod(number, 2)
        number, place = divmod(number, len(pools[name]))
        chosen[name] = TARGET if own == 0 else pools[name][place]
    return {**chosen, "": number % 8} if chosen else {}


@dataclass
class Population:
    """What was issued: the model, and the token of each session."""

    stage: Stage
    model: Model
    tokens: dict[UUID, str]

    def named(self, chosen: dict[str, Any]) -> dict[str, Any]:
        """The filters with real values where a session or a pepper's place was drawn. Of a
        backend that cannot scan, a user is always asked for."""
        place = chosen.get("", 0)
        sessions = list(self.model.sessions.values())
        target = sessions[int(place) % len(sessions)] if sessions else None
        real = {name: self._value(name, value, target) for name, value in chosen.items() if name}
        return real if self.stage.scans else {"user_id": self._value("", TARGET, target), **real}

    def _value(self, name: str, drawn: Any, target: Facts | None) -> Any:
        if drawn is not TARGET:
            return self._pepper_id(drawn) if name == "pepper_id" else drawn
        if target is None:
            return True if name == "live" else "x"
        if name == "live":
            return target.expires_at is None
        if name == "scope":
            return min(target.scopes, default="read")
        return getattr(target, name or "user_id")

    def _pepper_id(self, drawn: str) -> str:
        places = {"first": 0, "second": 1}
        return self.stage.pepper_id_of(PEPPERS[places[drawn]]) if drawn in places else drawn


def populate(stage: Stage, drawn: list[tuple[Any, ...]]) -> Population:
    """Issue the drawn sessions, some under an older pepper."""
    peppers = (stage.manager(fallback_peppers=(PEPPERS[1],)), stage.manager(pepper=PEPPERS[1]))
    population = Population(stage, Model(touch_interval=60 * SECOND), {})
    for user, method, scopes, ends, place, wait in drawn:
        stage.clock.move(wait * timedelta(milliseconds=1))
        issued = peppers[place].issue(user, method=method, scopes=scopes, **ends)
        population.model.issue(facts_of(issued.session))
        population.tokens[issued.session.id] = issued.token
    return population


def everything(stage: Stage) -> dict[UUID, Facts]:
    """All that the store holds, read behind the manager's back, row by row. Of a backend that
    cannot scan: every session that was issued."""
    if stage.scans:
        records = stage.look("find", coatcheck.Where(), None, 1000)
    else:
        records = filter(None, map(stage.record, sorted(stage.story.issued())))
    return {record.id: facts_of(coatcheck.Session(record)) for record in records}
