"""Hundreds of bad tokens of each kind are refused without an exception."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from bad_tokens import forged, hostile, malformed
from coatcheck import Rejection
from coatcheck_conformance import QUICK, Face
from coatcheck_conformance.frame.spelling import URLSAFE
from coatcheck_conformance.frame.stage import Stage
from coatcheck_conformance.running import name_of
from harnesses import MemoryHarness, SQLiteHarness

SEED = 20300102
EACH = 500
# No store is asked about most of them: each manager once is enough.
CHOSEN = ((MemoryHarness, Face.SYNC), (SQLiteHarness, Face.ASYNC))


@pytest.fixture(params=CHOSEN, ids=lambda chosen: f"{chosen[0].name}, {chosen[1]}")
def counted(request: pytest.FixtureRequest) -> Iterator[Stage]:
    harness, face = request.param
    with closing(harness()) as opened, closing(Stage(opened, face, QUICK)) as stage:
        stage.clear()
        yield stage


def _real(stage: Stage) -> list[str]:
    """Tokens that are good, twelve of them, two with a `-` or a `_` in their body."""
    sessions = stage.manager()
    tokens = [sessions.issue(f"user-{n}", method="password").token for n in range(12)]
    assert all(sessions.validate(token) for token in tokens)
    return tokens


def _name(stage: Stage) -> str:
    return f"{name_of(stage.harness)}, {stage.face}"


def _refuse_all(stage: Stage, kinds: dict[str, Iterator[Any]]) -> dict[str, int]:
    """How many of each kind were refused, by a manager that never asked its store."""
    numbers: dict[str, int] = {}
    sessions = stage.manager()
    for kind, bad in kinds.items():
        stage.relay.calls.clear()
        for token in itertools.islice(bad, EACH):
            answer = sessions.validate(token)
            assert type(answer) is Rejection, kind
            assert not answer
            assert (answer.reason, answer.session_id) == ("malformed", None), kind
            numbers[kind] = numbers.get(kind, 0) + 1
        assert stage.relay.calls == [], f"{kind}: the store was asked"
    assert min(numbers.values()) == EACH, numbers
    return numbers


def test_every_kind_of_malformed_token_is_refused_and_the_store_not_asked(
    counted: Stage, record_property: Callable[[str, Any], None]
) -> None:
    numbers = _refuse_all(counted, malformed(_real(counted), SEED))
    record_property("table", ("malformed tokens, refused", _name(counted), numbers))


def test_no_object_makes_a_validation_raise_however_hostile_it_is(
    counted: Stage, record_property: Callable[[str, Any], None]
) -> None:
    numbers = _refuse_all(counted, hostile(_real(counted)))
    record_property("table", ("hostile objects, refused", _name(counted), numbers))


def test_every_kind_of_forged_token_is_refused_and_nothing_is_written(
    counted: Stage, record_property: Callable[[str, Any], None]
) -> None:
    sessions = counted.manager()
    tokens = _real(counted)
    before = [session.last_used_at for session in sessions.find()]
    counted.clock.set(sessions.find()[0].valid_until)  # an end is told only to the right secret
    counted.relay.calls.clear()
    numbers: dict[str, int] = {}
    for kind, bad in forged(tokens, SEED).items():
        for token, reason in itertools.islice(bad, EACH):
            answer = sessions.validate(token)
            assert type(answer) is Rejection, kind
            assert answer.reason == reason, kind
            numbers[kind] = numbers.get(kind, 0) + 1
    assert set(counted.relay.calls) == {"load"}
    assert [session.last_used_at for session in sessions.find()] == before
    assert min(numbers.values()) == EACH
    record_property("table", ("forged tokens, refused", _name(counted), numbers))


def test_every_one_of_the_edits_of_a_whole_token_is_refused(counted: Stage) -> None:
    sessions = counted.manager()
    token = _real(counted)[random.Random(SEED).randrange(12)]
    counted.relay.calls.clear()
    for place, letter in itertools.product(range(len(token)), URLSAFE):
        edited = token[:place] + letter + token[place + 1 :]
        assert bool(sessions.validate(edited, touch=False)) is (edited == token)
    assert counted.relay.calls == ["load"] * len(token), "once for each edit that is none"
