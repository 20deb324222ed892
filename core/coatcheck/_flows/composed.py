"""The optional hooks, made of the required ones for a backend that has none of its own.

They walk `find` page by page, and every change is a step of the store that is
guarded by the same filter, so a session that stops matching between the page
and the step is left alone.
"""

from __future__ import annotations

from collections import Counter
from uuid import UUID

from .._contract.records import Changes, Record, SessionRef, Where
from .answers import page_of, record_of, ref_of
from .steps import Ask, Flow, Time

_READ_PAGE = 1000
_WRITE_PAGE = 100
"""Fewer, since each of them is a write of its own and they share the page's deadline."""


def count(where: Where) -> Flow[int]:
    """`count`, by walking."""
    number, after = 0, None
    while page := (yield from _page(where, after, _READ_PAGE)):
        number, after = number + len(page), page[-1].id
    return number


def pepper_counts() -> Flow[dict[str, int]]:
    """`pepper_counts`, by walking."""
    numbers: Counter[str] = Counter()
    after = None
    while page := (yield from _page(Where(), after, _READ_PAGE)):
        numbers.update(record.pepper_id for record in page)
        after = page[-1].id
    return dict(numbers)


def update_where(where: Where, changes: Changes) -> Flow[int]:
    """`update_where`, one guarded update each."""
    number, after = 0, None
    while page := (yield from _page(where, after, _WRITE_PAGE)):
        for record in page:
            answer = yield Ask("update", (record.id, changes, where))
            number += record_of(record.id, answer) is not None
        after = page[-1].id
    return number


def delete_where(where: Where, keep: frozenset[UUID]) -> Flow[list[SessionRef]]:
    """`delete_where`, one guarded delete each."""
    refs: list[SessionRef] = []
    after = None
    while page := (yield from _page(where, after, _WRITE_PAGE)):
        for record in page:
            if record.id not in keep:
                ref = ref_of(record.id, (yield Ask("delete", (record.id, where))))
                if ref is not None:
                    refs.append(ref)
        after = page[-1].id
    return refs


def purge(where: Where, limit: int) -> Flow[int]:
    """`purge`, one guarded delete each, on and on past those that others removed."""
    number, after = 0, None
    while page := (yield from _page(where, after, min(limit - number, _WRITE_PAGE))):
        for record in page:
            ref = ref_of(record.id, (yield Ask("delete", (record.id, where))))
            number += ref is not None
        after = page[-1].id
        if number == limit:
            break
    return number


def _page(where: Where, after: UUID | None, limit: int) -> Flow[list[Record]]:
    answer = yield Ask("find", (where, after, limit), Time.PAGE)
    return page_of(where, after, limit, answer)
