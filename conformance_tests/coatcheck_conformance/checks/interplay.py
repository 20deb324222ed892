"""Any history of calls gives what the model gives, with the clock at every deadline."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import seed
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from .. import strategies as legal
from ..clock import MILLISECOND, START
from ..frame.expecting import equal, identical
from ..frame.people import ENDS, METHODS, SCOPES, everything
from ..frame.registry import check_of
from ..frame.stage import PEPPERS, Stage
from ..frame.trying import budget
from ..model import Model, differences, facts_of

STEPS = 25
INTERVAL = timedelta(seconds=1)
USERS = ("ann", "Ann", "bob")
PLACE = st.integers(0, 5)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "scopes": st.frozensets(st.sampled_from(SCOPES), max_size=2),
        "metadata": legal.metadata(),
        "expires_at": st.none() | st.integers(1, 30_000).map(lambda n: n * MILLISECOND),
        "inactivity_timeout": st.sampled_from((None, *(timedelta(seconds=n) for n in (1, 5, 30)))),
    },
).filter(bool)
FILTERS = st.fixed_dictionaries(
    {},
    optional={"user_id": st.sampled_from(USERS), "method": st.sampled_from(METHODS)},
)


def machine(stage: Stage) -> type[RuleBasedStateMachine]:
    """A machine over this stage, made anew for each, as Hypothesis wants it."""

    class Interplay(RuleBasedStateMachine):
        @initialize()
        def start(self) -> None:
            stage.clear()
            self.model = Model(touch_interval=INTERVAL)
            self.tokens: dict[Any, str] = {}
            self.sessions = stage.manager(touch_interval=INTERVAL, fallback_peppers=(PEPPERS[1],))
            self.older = stage.manager(pepper=PEPPERS[1])
            self.pepper_id = self.sessions.pepper_status()[0].pepper_id
            stage.relay.calls.clear()

        @property
        def now(self) -> Any:
            return stage.clock()

        def _chosen(self, place: int) -> Any:
            ids = list(self.tokens)
            return ids[place % len(ids)]

        def _fields(self, fields: dict[str, Any]) -> dict[str, Any]:
            if fields.get("expires_at"):
                return {**fields, "expires_at": self.now + fields["expires_at"]}
            return fields

        @rule(user=st.sampled_from(USERS), method=st.sampled_from(METHODS),
              scopes=st.frozensets(st.sampled_from(SCOPES), max_size=2),
              ends=st.sampled_from(ENDS), older=st.booleans())  # fmt: skip
        def issue(self, user: str, method: str, scopes: Any, ends: Any, older: bool) -> None:
            issuer = self.older if older else self.sessions
            issued = issuer.issue(user, method=method, scopes=scopes, **ends)
            self.model.issue(facts_of(issued.session))
            self.tokens[issued.session.id] = issued.token

        @precondition(lambda self: self.tokens)
        @rule(place=PLACE, touch=st.booleans())
        def validate(self, place: int, touch: bool) -> None:
            chosen = self._chosen(place)
            expected = self.model.validate(chosen, self.now, touch=touch, pepper_id=self.pepper_id)
            answer = self.sessions.validate(self.tokens[chosen], touch=touch)
            if isinstance(expected, str):
                assert not answer
                equal((answer.reason, answer.session_id), (expected, chosen))
            else:
                assert answer
                equal(differences(facts_of(answer), expected), {})

        @precondition(lambda self: self.tokens)
        @rule(place=PLACE, fields=FIELDS)
        def update(self, place: int, fields: dict[str, Any]) -> None:
            fields = self._fields(fields)
            chosen = self._chosen(place)
            answer = self.sessions.update(chosen, **fields)
            expected = self.model.update(chosen, self.now, **fields)
            equal(differences(answer and facts_of(answer), expected), {})

        @rule(filters=FILTERS, fields=FIELDS)
        def update_all(self, filters: dict[str, Any], fields: dict[str, Any]) -> None:
            fields = self._fields(fields)
            number = self.sessions.update_all(**(filters or {"everyone": True}), **fields)
            equal(number, self.model.update_all(self.now, filters, **fields))

        @precondition(lambda self: self.tokens)
        @rule(place=PLACE)
        def revoke(self, place: int) -> None:
            chosen = self._chosen(place)
            identical(self.sessions.revoke(chosen), self.model.revoke(chosen))

        @rule(filters=FILTERS.filter(bool), keep=st.sets(PLACE, max_size=2))
        def revoke_all(self, filters: dict[str, Any], keep: set[int]) -> None:
            kept = {self._chosen(place) for place in keep} if self.tokens else set()
            refs = self.sessions.revoke_all(keep=kept, **filters)
            expected = self.model.revoke_all(self.now, filters, kept)
            equal(sorted(map(tuple, refs)), sorted(expected))

        @rule(expired=st.booleans(), inactive=st.booleans(), batch=st.sampled_from((1, 2, 1000)))
        def purge(self, expired: bool, inactive: bool, batch: int) -> None:
            only = {"expired": expired, "inactive": inactive}
            number = self.sessions.purge(batch_size=batch, **only)
            equal(number, self.model.purge(self.now, **only))

        @rule(filters=FILTERS, live=st.sampled_from(({}, {"live": True}, {"live": False})))
        def find(self, filters: dict[str, Any], live: dict[str, bool]) -> None:
            expected = self.model.matching(self.now, **filters, **live)
            found = self.sessions.find(**filters, **live)
            equal([session.id for session in found], [facts.id for facts in expected])
            equal(self.sessions.count(**filters, **live), len(expected))

        @precondition(lambda self: self.model.sessions)
        @rule(place=PLACE, around=st.sampled_from((-1, 0, 1)))
        def go_to_a_deadline(self, place: int, around: int) -> None:
            ends = [f.valid_until for f in self.model.sessions.values() if f.valid_until]
            if ends:
                stage.clock.set(max(START, ends[place % len(ends)] + around * MILLISECOND))

        @rule(span=st.sampled_from((1, 999, 1000, 1001, 5000, -3000)))
        def wait(self, span: int) -> None:
            stage.clock.set(max(START, stage.clock() + span * MILLISECOND))

        @invariant()
        def the_store_holds_what_the_model_holds(self) -> None:
            if not hasattr(self, "model"):
                return
            stage.examples += 1
            stored = everything(stage)
            equal(stored.keys(), self.model.sessions.keys())
            for session_id, facts in stored.items():
                equal(differences(facts, self.model.sessions[session_id]), {})

    return Interplay


@check_of("interplay", shares=False)
def any_history_gives_what_the_model_gives(stage: Stage) -> None:
    tried = seed(stage.seed)(machine(stage))
    settings_ = budget(stage, stage.profile.steps // 2 // STEPS, stateful_step_count=STEPS)
    run_state_machine_as_test(tried, settings=settings_)
