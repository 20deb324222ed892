"""The tools that try two calls in every order, and many clients at once, find what they are for."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest

from coatcheck import BackendInfo, Where
from coatcheck_backends.memory import MemoryBackend
from coatcheck_conformance import QUICK, Face, Outcome, run
from coatcheck_conformance.frame.between import Jostled
from coatcheck_conformance.frame.explaining import Unexplained, explain, shortened
from coatcheck_conformance.frame.gates import Gated, Steps, orders
from coatcheck_conformance.frame.stage import Stage
from coatcheck_conformance.histories import NEVER, Operation
from coatcheck_conformance.relay import relay_over
from coatcheck_conformance.report import told
from zoo.declaring import marked
from zoo.harnesses import InMemory
from zoo.stores import (
    Cached,
    LazyDelete,
    Merging,
    MovesBack,
    OldDeadlines,
    RacyDelete,
    RacyInsert,
    Remembering,
    UpsertingRewrite,
    UpsertingTouch,
    WholeRowTouch,
)

ORDERS = "two_calls_keep_the_laws_in_every_order_of_their_steps"
CROWDS = "what_many_clients_did_at_once_can_be_explained"


def outcome_of(backend: MemoryBackend, check: str, face: Face, seed: int = 1) -> Outcome:
    harness = InMemory(marked(type(backend))())
    (outcome,) = run(harness, checks=[check], faces=[face], seed=seed).outcomes
    return outcome


# The orders


def merging(steps: tuple[int, int], seen: list[str]) -> Callable[[Callable[[], int]], None]:
    """Two that take so many steps each, for `orders`; notes the order that came of it."""

    def run_once(choose: Callable[[], int]) -> None:
        left, order = list(steps), ""
        while all(left):
            who = choose()
            left[who] -= 1
            order += "ab"[who]
        seen.append(order + "a" * left[0] + "b" * left[1])

    return run_once


@pytest.mark.parametrize(("steps", "ways"), [((1, 1), 2), ((2, 1), 3), ((3, 3), 20), ((4, 3), 35)])
def test_every_order_is_run_once(steps: tuple[int, int], ways: int) -> None:
    seen: list[str] = []
    assert len(list(orders(merging(steps, seen), most=1000, dice=random.Random(0)))) == ways
    assert len(set(seen)) == len(seen) == ways
    assert all((order.count("a"), order.count("b")) == steps for order in seen)


def test_of_too_many_orders_different_ones_are_drawn_and_the_seed_says_which() -> None:
    drawn: list[list[str]] = []
    for seed in (1, 1, 2):
        seen: list[str] = []
        list(orders(merging((6, 6), seen), most=50, dice=random.Random(seed)))
        assert len(set(seen)) == len(seen) == 50
        drawn.append(seen)
    assert drawn[0] == drawn[1] != drawn[2]
    assert len({order[0] for order in drawn[0]}) == 2


# The gates


def test_a_call_goes_on_by_one_question_at_a_time() -> None:
    stage = Stage(InMemory(MemoryBackend()), Face.ASYNC, QUICK)
    store, asked = relay_over(Gated(stage.backend)), list[str]()

    async def call() -> object:
        await store.ask("ping")
        return await store.ask("count", Where())

    async def taken() -> Steps:
        steps = Steps(call)
        steps.told = lambda hook, _args, _answer: asked.append(hook)
        await steps.step()
        assert (asked, steps.over) == (["ping"], False)
        await steps.step()
        return steps

    assert not stage.info.asynchronous
    assert store.info().asynchronous
    steps = stage.wait(taken())
    assert (asked, steps.over, steps.answer) == (["ping", "count"], True, 0)
    stage.close()


def test_what_is_between_shows_the_hooks_that_the_backend_has() -> None:
    class NoCount(MemoryBackend):
        count = property()

    for behind in (Gated(NoCount()), Jostled(NoCount(), random.Random(0))):
        assert hasattr(behind, "purge")
        assert not hasattr(behind, "count")
        assert not hasattr(behind, "bound")


# Broken ones in every order


class WholeRowButItsUse(Remembering):
    """Unlike that of the zoo, it is right as long as nobody comes between."""

    def replace_key_hash(self, session_id: UUID, old: str, new: str, pepper_id: str) -> bool:
        used = self._records[session_id].last_used_at if session_id in self._records else 0
        replaced = super().replace_key_hash(session_id, old, new, pepper_id)
        if replaced:
            row = self.loaded[session_id]._replace(key_hash=new, pepper_id=pepper_id)
            self._records[session_id] = row._replace(last_used_at=used)
        return replaced


@pytest.mark.parametrize("face", Face)
@pytest.mark.parametrize(
    ("broken", "law"),
    [
        (UpsertingTouch, 9),
        (WholeRowTouch, 4),
        (OldDeadlines, 9),
        (UpsertingRewrite, 9),
        (WholeRowButItsUse, 8),
    ],
)
def test_a_store_that_writes_what_it_read_is_found_and_its_law_named(
    broken: type[MemoryBackend], law: int, face: Face
) -> None:
    outcome = outcome_of(broken(), ORDERS, face)
    assert outcome.failure is not None
    assert outcome.failure.law == law


def test_a_touch_that_moves_back_is_found_in_the_few_orders_that_show_it() -> None:
    profile = replace(QUICK, orders=20)
    report = run(
        InMemory(marked(MovesBack)()), profile=profile, checks=[ORDERS], faces=[Face.SYNC], seed=1
    )
    assert report.broken == {4}


def test_a_failure_tells_the_calls_step_by_step() -> None:
    outcome = outcome_of(UpsertingTouch(), ORDERS, Face.ASYNC)
    text = "\n".join(told(outcome, "run it again"))
    steps = [
        "validate, 50 s after the issue: validate(<token of session A>)",
        "validate: load -> Record(session A",
        "revoke, 50 s after the issue: revoke(session A)",
        "revoke: delete -> session A",
        "revoke gives True",
        "validate: touch -> True",
    ]
    places = [text.index(step) for step in steps]
    assert places == sorted(places)
    assert "calls=validate and revoke" in text
    assert "nothing but `issue` creates a session" in text
    assert text.endswith("run it again")


def test_what_fails_in_any_order_is_left_to_the_checks_of_the_laws() -> None:
    outcome = outcome_of(Merging(), ORDERS, Face.SYNC)
    assert outcome.failure is not None
    assert outcome.failure.law == 0
    assert outcome.failure.drawn["order"] == "any, even one call after the other"


# Broken ones in a crowd


@pytest.mark.parametrize("face", Face)
@pytest.mark.parametrize(
    ("broken", "laws"),
    [(Cached, {5, 6}), (RacyDelete, {5, 9}), (LazyDelete, {5, 9}), (RacyInsert, {9})],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
def test_a_stale_or_racy_store_is_found_by_a_crowd_each_time(
    broken: type[MemoryBackend], laws: set[int], face: Face
) -> None:
    for seed in range(20):
        outcome = outcome_of(broken(), CROWDS, face, seed)
        assert outcome.failure is not None
        assert outcome.failure.law in laws


def test_what_only_somebody_beside_brings_back_has_returned() -> None:
    outcomes = [outcome_of(UpsertingTouch(), CROWDS, Face.SYNC, seed) for seed in range(10)]
    laws = {outcome.failure.law for outcome in outcomes if outcome.failure}
    # Where two have revoked it at the same time, it may as well not have gone; and what comes
    # back has the scopes that it had when the touch read it.
    assert 9 in laws <= {5, 6, 9}


def test_a_stale_read_is_told_as_the_shortest_history_that_shows_it() -> None:
    outcome = outcome_of(Cached(), CROWDS, Face.SYNC)
    assert outcome.failure is not None
    assert 3 <= len(outcome.failure.history) <= 5
    assert outcome.failure.history[0].startswith("issue with the scope")
    assert outcome.failure.history[-1].startswith("validate, from")


def test_a_crowd_does_at_least_80_operations_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    from coatcheck_conformance.checks import concurrency

    histories: list[list[Operation]] = []
    monkeypatch.setattr(concurrency, "explain", lambda history, *_: histories.append(history))
    for face in Face:
        outcome = outcome_of(MemoryBackend(), CROWDS, face)
        assert outcome.examples == QUICK.histories
    for history in histories:
        assert len(history) >= 80
        assert {operation.kind for operation in history} >= {"issue", "validate", "update"}
        assert len({o.value for o in history if o.value}) == sum(bool(o.value) for o in history)
    assert sum(_overlapping(history) for history in histories) > 20 * len(histories)


def _overlapping(history: list[Operation]) -> int:
    """How many began while another was under way."""
    ends = sorted(history, key=lambda operation: operation.called)
    return sum(b.called < a.returned for a, b in itertools.pairwise(ends))


def test_a_backend_that_does_not_say_that_it_is_linearizable_is_not_shown() -> None:
    class Modest(MemoryBackend):
        def info(self) -> BackendInfo:
            return super().info()._replace(capabilities={"scan"})

    outcome = outcome_of(Modest(), CROWDS, Face.SYNC)
    assert outcome.not_shown == "the backend does not declare `linearizable`"


# The explanation


def op(kind, value, answer, called, returned) -> Operation:
    return Operation("s", kind, value, answer, called, returned)


ISSUE = op("issue", "a", True, 0, 1)
BEGUN = [ISSUE, op("update", "b", True, 2, 3)]
GONE = [ISSUE, op("revoke", None, True, 2, 3)]

UNEXPLAINED = {
    "a stale read": (6, [*BEGUN, op("validate", None, "a", 4, 5)]),
    "an acceptance after the revocation": (5, [*GONE, op("validate", None, "a", 4, 5)]),
    "an update after the revocation": (5, [*GONE, op("update", "b", True, 4, 5)]),
    "two who revoked": (5, [*GONE, op("revoke", None, True, 2, 4)]),
    "a return": (
        9, [*GONE, op("validate", None, None, 4, 5), op("validate", None, "a", 6, 7)],
    ),
    "a refusal of what is there": (1, [ISSUE, op("validate", None, None, 4, 5)]),
    "a refusal after a revocation that said no": (
        5, [ISSUE, op("validate", None, None, 4, 5), op("revoke", None, False, 6, 7)],
    ),
    "a refused update of what is there": (8, [ISSUE, op("update", "b", False, 4, 5)]),
}  # fmt: skip


@pytest.mark.parametrize(("law", "history"), UNEXPLAINED.values(), ids=UNEXPLAINED)
def test_a_history_that_no_order_explains_names_its_law(law: int, history: list[Operation]) -> None:
    with pytest.raises(Unexplained) as caught:
        explain(history, found={"s"})
    assert caught.value.law == law


def test_a_change_that_is_not_what_is_stored_was_lost() -> None:
    reading = op("validate", None, "a", 8, 9)
    with pytest.raises(Unexplained) as caught:
        explain([*BEGUN, reading], [reading])
    assert caught.value.law == 8


def test_a_refusal_by_a_touch_is_put_down_to_the_touch() -> None:
    with pytest.raises(Unexplained) as caught:
        explain([ISSUE, op("validate", None, None, 4, 5)], untouched={"s"})
    assert caught.value.law == 4


def test_only_what_is_needed_to_show_it_is_left_of_a_history() -> None:
    stale = op("validate", None, "b", 90, 91)
    changes = [op("update", f"v{n}", True, 10 * n, 10 * n + 3) for n in range(1, 9)]
    reads = [op("validate", None, f"v{n}", 10 * n + 4, 10 * n + 5) for n in range(1, 9)]
    lost = [op("update", "x", None, 40, NEVER)]
    refused = [op("revoke", None, False, 97, 98), op("revoke", None, True, 95, 96)]
    history = [*BEGUN, *changes, *reads, *lost, *refused, stale]
    assert shortened(history) in ([*BEGUN, change, stale] for change in changes)
