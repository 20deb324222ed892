"""What an observer is told holds no secret, however deep one looks."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Iterator
from typing import Any

import pytest

from canaries import Canaries
from coatcheck import IssuedSession, Secret
from failing_stores import Listener
from observed_lives import OLD, PEPPER, Stand, life


@pytest.fixture(params=["sync", "async"])
def runner(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner | None]:
    if request.param == "sync":
        yield None
        return
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def stand(runner: asyncio.Runner | None) -> Stand:
    return Stand(runner)


def test_no_argument_holds_a_secret_however_deep_one_looks(stand: Stand) -> None:
    listener, canaries = Listener(), Canaries()
    older = stand.open(pepper=OLD)
    sessions = stand.open(listener, fallback_peppers=[OLD])
    tokens = [older.issue("ann", method="password"), *issued_in(life(stand, sessions))]
    sessions.validate(tokens[0].token)
    sessions.validate(tokens[0].token[:-1])
    for each in tokens:
        canaries.token(each.token)
    for record in stand.store.backend._records.values():
        canaries.key_hash(record.key_hash)
    canaries.secret("pepper", PEPPER)
    told = listener.take()
    assert len(told) > 10
    for event, *args in told:
        for found in walked(args):
            assert not isinstance(found, Secret | IssuedSession), event
            assert canaries.found_in(repr(found)) == [], event
        assert canaries.found_in(pickle.dumps(args).decode("latin-1")) == [], event
    assert canaries.found_in(repr(list(walked(tokens[0])))) != [], "the walk goes deep enough"


def issued_in(happened: dict[str, Any]) -> list[IssuedSession]:
    return [value for value in happened.values() if isinstance(value, IssuedSession)]


def walked(value: object, seen: list[object] | None = None) -> Iterator[object]:
    """A value and all that can be reached from it: items, slots, attributes, properties."""
    seen = [] if seen is None else seen
    if any(value is other for other in seen) or isinstance(value, type):
        return
    seen.append(value)
    yield value
    if isinstance(value, dict):
        parts = [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple | set | frozenset):
        parts = list(value)
    elif type(value).__module__.startswith("coatcheck"):
        parts = [getattr(value, name) for name in dir(type(value)) if not name.startswith("__")]
    else:
        parts = []
    for part in parts:
        if not callable(part):
            yield from walked(part, seen)
