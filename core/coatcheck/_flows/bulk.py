"""The calls on many sessions: find, count, update_all, revoke_all, purge, pepper status."""

from __future__ import annotations

from typing import Any, NamedTuple

from .. import _fields
from .._contract.info import Capability
from .._contract.records import LIVE, SessionRef, State, Where
from .._times import Milliseconds
from .._values import Session
from . import composed
from .answers import counts_of, number_of, page_of, refs_of
from .filters import where_of, where_of_bulk
from .single import changes_of
from .steps import Ask, Core, Flow, Tell, Time


class PepperStatus(NamedTuple):
    """Sessions under one pepper id. A pepper may go when it has none left."""

    pepper_id: str
    place: int | None
    """0 for the pepper that writes, n for the n-th fallback, `None` if not configured."""
    sessions: int


def find(
    core: Core, now: Milliseconds, filters: dict[str, Any], limit: object, after: object
) -> Flow[list[Session]]:
    """A page of the sessions that match, in the order of their ids."""
    where = where_of(core, "find", now, filters)
    size = _fields.size("limit", limit, 0, _fields.MAX_PAGE)
    cursor = None if after is None else _fields.session_id("after", after)
    if size == 0:
        return []
    answer = yield Ask("find", (where, cursor, size))
    return [Session(record) for record in page_of(where, cursor, size, answer)]


def count(core: Core, now: Milliseconds, filters: dict[str, Any]) -> Flow[int]:
    """How many match."""
    where = where_of(core, "count", now, filters)
    if "count" not in core.backend.hooks:
        return (yield from composed.count(where))
    return number_of("count", (yield Ask("count", (where,))))


def update_all(
    core: Core,
    now: Milliseconds,
    filters: dict[str, Any],
    everyone: object,
    fields: dict[str, Any],
) -> Flow[int]:
    """Set the named fields of all live sessions that match; how many they were."""
    where = where_of_bulk(core, "update_all", now, filters, everyone)
    where = Where(where.user_id, where.method, None, where.pepper_id, LIVE, now)
    changes = changes_of(now, fields)
    if "update_where" in core.backend.hooks:
        number = number_of("update_where", (yield Ask("update_where", (where, changes))))
    else:
        number = yield from composed.update_where(where, changes)
    if number and core.observers["sessions_updated"]:
        yield Tell("sessions_updated", (number, frozenset(changes)))
    return number


def revoke_all(
    core: Core, now: Milliseconds, filters: dict[str, Any], everyone: object, keep: object
) -> Flow[list[SessionRef]]:
    """Delete all that match but those to keep; which they were."""
    spared = _fields.session_ids("keep", keep)
    where = where_of_bulk(core, "revoke_all", now, filters, everyone)
    if "delete_where" in core.backend.hooks:
        refs = refs_of((yield Ask("delete_where", (where, spared))))
    else:
        refs = yield from composed.delete_where(where, spared)
    if refs and core.observers["sessions_revoked"]:
        yield Tell("sessions_revoked", (list(refs),))
    return refs


def purge(
    core: Core, now: Milliseconds, expired: object, inactive: object, batch_size: object
) -> Flow[int]:
    """Remove ended sessions, batch by batch, each told of when it is gone."""
    wanted: tuple[tuple[State, bool], ...] = (
        ("expired", _fields.flag("expired", expired)),
        ("inactive", _fields.flag("inactive", inactive)),
    )
    size = _fields.size("batch_size", batch_size, 1, _fields.MAX_BATCH)
    where = Where(state=frozenset(state for state, chosen in wanted if chosen), now=now)
    if not where.state:
        return 0
    core.require(Capability.SCAN, "purge")
    total = 0
    # A short batch is no sign of the end: another purge may hold what is missing in it.
    while batch := (yield from _purge_batch(core, where, size)):
        total += batch
        if core.observers["sessions_purged"]:
            yield Tell("sessions_purged", (batch,))
    return total


def _purge_batch(core: Core, where: Where, size: int) -> Flow[int]:
    if "purge" not in core.backend.hooks:
        return (yield from composed.purge(where, size))
    return number_of("purge", (yield Ask("purge", (where, size), Time.PAGE)))


def pepper_status(core: Core) -> Flow[list[PepperStatus]]:
    """Every configured pepper by place, then the ids that are stored and unknown."""
    core.require(Capability.SCAN, "pepper_status")
    if "pepper_counts" in core.backend.hooks:
        stored = counts_of((yield Ask("pepper_counts")))
    else:
        stored = yield from composed.pepper_counts()
    places: dict[str, int | None] = dict(core.config.keyring.places)
    places |= {pepper_id: None for pepper_id in sorted(stored) if pepper_id not in places}
    return [PepperStatus(name, place, stored.get(name, 0)) for name, place in places.items()]
