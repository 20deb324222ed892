"""Backends whose boundaries, filters, pages or purges are a little off."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any
from uuid import UUID

from coatcheck import Changes, Record, SessionRef, Where
from coatcheck._flows import filters
from coatcheck._unset import UNSET
from coatcheck_backends.memory import MemoryBackend

from .declaring import broken_core, broken_store
from .harnesses import required_only

# Law 2


@broken_core({2, 3, 7, 9, 14}, "valid at expires_at", "coatcheck._contract.records.Record.state")
def _valid_at_expires_at(record: Record, now: int) -> str:
    if record.expires_at is not None and record.expires_at < now:
        return "expired"
    timeout = record.inactivity_timeout
    return "inactive" if timeout is not None and record.last_used_at + timeout <= now else "live"


@broken_core(
    {2, 3, 7, 9, 14}, "valid at the inactivity limit", "coatcheck._contract.records.Record.state"
)
def _valid_at_inactivity_limit(record: Record, now: int) -> str:
    if record.expires_at is not None and record.expires_at <= now:
        return "expired"
    timeout = record.inactivity_timeout
    return "inactive" if timeout is not None and record.last_used_at + timeout < now else "live"


@broken_core(
    {2, 3, 7, 9, 14}, "a zero lifetime left means never", "coatcheck._contract.records.Record.state"
)
def _zero_means_never(record: Record, now: int) -> str:
    if record.expires_at and record.expires_at - now and record.expires_at <= now:
        return "expired"
    timeout = record.inactivity_timeout
    return "inactive" if timeout and record.last_used_at + timeout <= now else "live"


@broken_core({2, 14}, "what expired is called inactive", "coatcheck._contract.records.Record.state")
def _inactive_first(record: Record, now: int) -> str:
    timeout = record.inactivity_timeout
    if timeout is not None and record.last_used_at + timeout <= now:
        return "inactive"
    return "expired" if record.expires_at is not None and record.expires_at <= now else "live"


@broken_core({1, 2}, "the clock is read as local time", "coatcheck._times.instant_to_ms")
def _local_time(instant: Any) -> int:
    from coatcheck._times import EPOCH, MILLISECOND

    return (instant.replace(tzinfo=EPOCH.tzinfo) - EPOCH) // MILLISECOND


@broken_store({2}, "a list has another boundary than a validation")
class ListBoundary(MemoryBackend):
    def find(self, where: Where, after: UUID | None, limit: int) -> list[Record]:
        return super().find(where._replace(now=where.now - 1), after, limit)


@broken_store({2}, "a count has another boundary than a validation")
class CountBoundary(MemoryBackend):
    def count(self, where: Where) -> int:
        return super().count(where._replace(now=where.now + 1))


@broken_store({2}, "a count of what has ended has another boundary")
class EndedBoundary(MemoryBackend):
    def count(self, where: Where) -> int:
        ended = where.state is not None and "live" not in where.state
        return super().count(where._replace(now=where.now - ended))


@broken_store({2, 14, 19}, "a purge has another boundary than a validation")
class PurgeBoundary(MemoryBackend):
    def purge(self, where: Where, limit: int) -> int:
        return super().purge(where._replace(now=where.now + 1), limit)


@broken_store({2, 9}, "a touch has another boundary than a validation")
class TouchBoundary(MemoryBackend):
    def touch(self, session_id: UUID, now: int) -> bool:
        record = self._records.get(session_id)
        if record is not None and now == record.valid_until:
            return True
        return super().touch(session_id, now)


@broken_store({2, 9}, "an update has another boundary than a validation")
class UpdateBoundary(MemoryBackend):
    def update(self, session_id: UUID, changes: Changes, where: Where) -> Record | None:
        return super().update(session_id, changes, where._replace(now=where.now - 1))


# Law 7


def _without(*names: str) -> Callable[[Where], Where]:
    return lambda where: where._replace(**dict.fromkeys(names))


@broken_store({1, 7, 13}, "find ignores the method")
class FindIgnoresMethod(MemoryBackend):
    def find(self, where: Where, after: UUID | None, limit: int) -> list[Record]:
        return super().find(_without("method")(where), after, limit)


@broken_store({1, 6, 7}, "count ignores the scope, which find does not")
class CountIgnoresScope(MemoryBackend):
    def count(self, where: Where) -> int:
        return super().count(_without("scope")(where))


@broken_store({2, 7}, "count includes what has ended, which find does not")
class CountIncludesEnded(MemoryBackend):
    def count(self, where: Where) -> int:
        return super().count(_without("state")(where))


@broken_store({5, 7}, "revoke_all ignores the method")
class RevokeIgnoresMethod(MemoryBackend):
    def delete_where(self, where: Where, keep: frozenset[UUID]) -> list[SessionRef]:
        return super().delete_where(_without("method")(where), keep)


@broken_store({7}, "update_all ignores the pepper")
class UpdateIgnoresPepper(MemoryBackend):
    def update_where(self, where: Where, changes: Changes) -> int:
        return super().update_where(_without("pepper_id")(where), changes)


@broken_store({7}, "revoke_all spares nothing")
class KeepsNothing(MemoryBackend):
    def delete_where(self, where: Where, keep: frozenset[UUID]) -> list[SessionRef]:
        return super().delete_where(where, frozenset())


@broken_store({7}, "revoke_all tells of what it kept")
class TellsOfKept(MemoryBackend):
    def delete_where(self, where: Where, keep: frozenset[UUID]) -> list[SessionRef]:
        matching = self._matching(where)
        super().delete_where(where, keep)
        return [SessionRef(r.id, r.user_id, r.method) for r in matching]


@broken_store({2, 5, 7, 8, 9, 13}, "filters are joined by OR")
class JoinedByOr(MemoryBackend):
    def _matching(self, where: Where) -> list[Record]:
        fields = ("user_id", "method", "scope", "pepper_id", "state")
        single = [
            Where(**{name: getattr(where, name)}, now=where.now)
            for name in fields
            if getattr(where, name) is not None
        ]
        records = list(self._records.values())
        return [r for r in records if not single or any(one.matches(r) for one in single)]


@broken_store({1, 7}, "a user id matches as a prefix")
class PrefixMatch(MemoryBackend):
    def _matching(self, where: Where) -> list[Record]:
        found = super()._matching(_without("user_id")(where))
        return [r for r in found if r.user_id.startswith(where.user_id or "")]


@broken_store({5, 7}, "a scope matches as a part")
class PartOfScope(MemoryBackend):
    def _matching(self, where: Where) -> list[Record]:
        found = super()._matching(_without("scope")(where))
        return [r for r in found if (where.scope or "") in " ".join(r.scopes)]


def _none_means_all(core: Any, call: str, now: int, given: dict[str, Any]) -> Where:
    kept = {name: UNSET if value is None else value for name, value in given.items()}
    return filters_where_of(core, call, now, kept)


filters_where_of = filters.where_of
broken_core({7}, "a filter of None means all", "coatcheck._flows.filters.where_of")(_none_means_all)


@broken_core({7}, "no filter means all", "coatcheck._flows.filters.where_of_bulk")
def _no_filter_means_all(
    core: Any, call: str, now: int, given: dict[str, Any], everyone: object
) -> Where:
    return filters_where_of(core, call, now, given)


class _WithHash(tuple[Any, ...]):
    key_hash = ""

    def __repr__(self) -> str:
        return f"{tuple(self)!r}, {self.key_hash}"


@broken_core({7, 18}, "results carry the hash", "coatcheck._values.Session.__init__")
def _carries_hash(session: Any, record: Record) -> None:
    facts = _WithHash(record[:9])
    facts.key_hash = record.key_hash
    type(session)._facts.__set__(session, facts)
    type(session).pepper_id.__set__(session, record.pepper_id)


# Law 13


@broken_store({8, 13}, "the cursor is inclusive")
class InclusiveCursor(MemoryBackend):
    def find(self, where: Where, after: UUID | None, limit: int) -> list[Record]:
        found = (r for r in self._matching(where) if after is None or r.id >= after)
        return heapq.nsmallest(limit, found)


@broken_store({7, 13}, "the limit comes before the filter")
class LimitFirst(MemoryBackend):
    def find(self, where: Where, after: UUID | None, limit: int) -> list[Record]:
        return [r for r in super().find(Where(), after, limit) if where.matches(r)]


@broken_store({7, 9, 13}, "pages are in the order of issue")
class OrderOfIssue(MemoryBackend):
    def find(self, where: Where, after: UUID | None, limit: int) -> list[Record]:
        return [r for r in self._matching(where) if after is None or r.id > after][:limit]


@broken_store({13}, "the cursor is a time without a tie-breaker")
class TimeCursor(MemoryBackend):
    def find(self, where: Where, after: UUID | None, limit: int) -> list[Record]:
        last = after.int >> 80 if after else -1
        found = (r for r in self._matching(where) if r.id.int >> 80 > last)
        return heapq.nsmallest(limit, found)


@broken_store({13}, "the cursor is a place in the list")
class Offsets(MemoryBackend):
    def find(self, where: Where, after: UUID | None, limit: int) -> list[Record]:
        found = sorted(self._matching(where))
        ids = [r.id for r in found]
        start = ids.index(after) + 1 if after in ids else (limit if after else 0)
        return found[start : start + limit]


@broken_store({13}, "a page may be one too short")
class ShortPage(MemoryBackend):
    def find(self, where: Where, after: UUID | None, limit: int) -> list[Record]:
        return super().find(where, after, max(1, limit - 1))


@broken_store({13}, "a page may be one too long")
class LongPage(MemoryBackend):
    def find(self, where: Where, after: UUID | None, limit: int) -> list[Record]:
        return super().find(where, after, limit + 1)


# Law 14


@broken_store({2, 14}, "a purge misses what is only inactive")
class OnlyExpired(MemoryBackend):
    def purge(self, where: Where, limit: int) -> int:
        return super().purge(where._replace(state=frozenset({"expired"})), limit)


@broken_store({2, 14}, "a purge takes live sessions")
class TakesLive(MemoryBackend):
    def purge(self, where: Where, limit: int) -> int:
        return super().purge(where._replace(state=None), limit)


@broken_store({2, 14}, "a purge takes both ends whatever was asked for")
class TakesBoth(MemoryBackend):
    def purge(self, where: Where, limit: int) -> int:
        both = frozenset({"expired", "inactive"})
        return super().purge(where._replace(state=both), limit)


@broken_store({2, 14}, "a purge says that it removed all it could have")
class SaysLimit(MemoryBackend):
    def purge(self, where: Where, limit: int) -> int:
        return limit if super().purge(where, limit) else 0


@broken_core({14}, "a composed purge removes without its guard", "coatcheck._flows.composed.purge",
             make=required_only)  # fmt: skip
def _unguarded_purge(where: Where, limit: int) -> Any:
    from coatcheck._flows.composed import _page
    from coatcheck._flows.steps import Ask

    page = yield from _page(where, None, limit)
    for record in page:
        yield Ask("delete", (record.id, Where()))
    return len(page)


@broken_core(
    {2, 14, 16}, "a purge ends after its first batch", "coatcheck._flows.bulk._purge_batch"
)
def _one_batch(core: Any, where: Where, size: int) -> Any:
    from coatcheck._flows.steps import Ask

    if getattr(core.config.now, "purged", None) == where:
        return 0
    core.config.now.purged = where
    return (yield Ask("purge", (where, size)))
