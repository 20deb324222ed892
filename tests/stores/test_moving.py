"""Sessions moved row by row from any store to any other validate as if nothing had been."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from coatcheck import IssuedSession, Record, Secret, SessionManager, Where
from coatcheck_backends import memory, mongodb, postgresql, sqlite
from coatcheck_conformance.clock import Clock
from coatcheck_conformance.strategies import TELLING_KEYS, TELLING_TEXTS

PEPPERS = [f"pepper {n} of the sessions that are moved, and long enough" for n in range(3)]
MODULES = {"sqlite": sqlite, "postgresql": postgresql, "mongodb": mongodb}
KINDS = ("memory", *MODULES)
CLOCK = Clock()


def manager(backend: object) -> SessionManager:
    return SessionManager(backend, pepper=PEPPERS[0], fallback_peppers=PEPPERS[1:], clock=CLOCK)


def backend_of(kind: str, urls: dict[str, str]) -> Any:
    if kind == "memory":
        return memory.open_backend(Secret("memory:"))
    return MODULES[kind].open_backend(Secret(urls[kind]))


def issued_in(backend: Any) -> Iterator[IssuedSession]:
    """Sessions with everything that stores are known to take for something else."""
    ends: tuple[dict[str, timedelta | None], ...] = (
        {},
        {"lifetime": None, "inactivity_timeout": None},
        {"lifetime": timedelta(days=365_000)},
        {"inactivity_timeout": timedelta(seconds=1)},
    )
    cycle = itertools.cycle(ends)
    for pepper in PEPPERS:
        with_pepper = SessionManager(backend, pepper=pepper, clock=CLOCK)
        for text in TELLING_TEXTS:
            yield with_pepper.issue(
                text,
                method=text[::-1],
                scopes={"read", f"n:{len(text)}"} if len(text) % 2 else (),
                metadata={
                    key: [text, 1, 1.0, True, None, 2**63 - 1, -1e300] for key in TELLING_KEYS
                },
                **next(cycle),
            )


def records_of(backend: Any) -> Iterator[Record]:
    """Every row, in the order of ids, page by page."""
    after = None
    while page := backend.find(Where(), after, 50):
        yield from page
        after = page[-1].id


@pytest.mark.parametrize("source", KINDS)
def test_sessions_moved_row_by_row_validate_unchanged(source: str, urls: dict[str, str]) -> None:
    first = backend_of(source, urls)
    with manager(first) as before:
        issued = list(issued_in(first))
        rows = list(records_of(first))
        assert sorted(row.id for row in rows) == sorted(each.session.id for each in issued)
        expected = [before.validate(each.token, touch=False) for each in issued]
        assert expected == [each.session for each in issued]
        for target in KINDS:
            if target == source:
                continue
            second = backend_of(target, urls)
            with manager(second) as after:
                for row in rows:
                    second.insert(row)
                assert list(records_of(second)) == rows
                assert [after.validate(e.token, touch=False) for e in issued] == expected
                # The hash is rewritten there as well as where it came from.
                assert all(after.validate(each.token) for each in issued)
                assert [s.sessions for s in after.pepper_status()] == [len(issued), 0, 0]
