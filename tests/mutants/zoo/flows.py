"""Cores whose calls do a little too much, too little, or in the wrong order."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from coatcheck import BackendError, Rejection, RejectionReason, Session, Where
from coatcheck._flows import bulk, composed, single, validate
from coatcheck._flows.answers import record_of, ref_of
from coatcheck._flows.steps import Ask

from .declaring import broken_core
from .harnesses import required_only

VALIDATE = "coatcheck._flows.validate.validate"
UPDATE = "coatcheck._flows.single.update"
_validate, _touch = validate.validate, validate._touch
_delete_where = composed.delete_where
_find = bulk.find
_touch_due = "coatcheck._flows.validate._is_touch_due"

# Law 3


def _interval(core: Any, record: Any) -> int:
    timeout = record.inactivity_timeout
    interval = core.config.touch_interval
    return interval if timeout is None else min(interval, timeout // 10)


@broken_core({2, 3, 4, 8, 9}, "throttle with > where >= is meant", _touch_due)
def _later_than(core: Any, record: Any, now: int) -> bool:
    return now - record.last_used_at > _interval(core, record)


@broken_core({3}, "a throttle that forgets a tenth of the timeout", _touch_due)
def _fixed_throttle(core: Any, record: Any, now: int) -> bool:
    return now - record.last_used_at >= core.config.touch_interval


@broken_core({3}, "a throttle of a second at least", _touch_due)
def _slow_throttle(core: Any, record: Any, now: int) -> bool:
    return now - record.last_used_at >= max(_interval(core, record), 1000)


@broken_core({3}, "a tenth of the timeout is rounded up", _touch_due)
def _rounded_up(core: Any, record: Any, now: int) -> bool:
    timeout, interval = record.inactivity_timeout, core.config.touch_interval
    if timeout is not None:
        interval = min(interval, -(-timeout // 10))
    return now - record.last_used_at >= interval


@broken_core({2, 3, 4, 8, 9, 16}, "a throttle as long as the timeout", _touch_due)
def _long_throttle(core: Any, record: Any, now: int) -> bool:
    return now - record.last_used_at >= (record.inactivity_timeout or core.config.touch_interval)


@broken_core({3, 10}, "every use is recorded", _touch_due)
def _no_throttle(core: Any, record: Any, now: int) -> bool:
    return True


@broken_core({2, 3, 4, 8, 9, 16}, "no use is recorded", _touch_due)
def _no_touch(core: Any, record: Any, now: int) -> bool:
    return False


@broken_core({3, 4}, "sessions without a timeout are not touched", _touch_due)
def _only_with_timeout(core: Any, record: Any, now: int) -> bool:
    timeout = record.inactivity_timeout
    return timeout is not None and now - record.last_used_at >= _interval(core, record)


@broken_core({3, 4, 10}, "touch=False is ignored", VALIDATE)
def _always_touching(core: Any, now: int, token: Any, touch: bool) -> Any:
    return _validate(core, now, token, True)


# Law 4


@broken_core({3, 4, 10, 11, 16, 18}, "a touch before the secret was verified", VALIDATE)
def _touch_first(core: Any, now: int, token: Any, touch: bool) -> Any:
    named = core.config.tokens.read(token)
    if named is not None:
        yield Ask("touch", (named[0], now))
    return (yield from _validate(core, now, token, touch))


@broken_core({4}, "a session that vanished before its touch is accepted",
             "coatcheck._flows.validate._touch")  # fmt: skip
def _vanished_accepted(record: Any, now: int) -> Any:
    return (yield from _touch(record, now)) or record


@broken_core(
    {2, 3, 4, 16}, "the answer shows the older of two uses", "coatcheck._flows.validate._touch"
)
def _shows_now(record: Any, now: int) -> Any:
    touched = yield from _touch(record, now)
    return touched and touched._replace(last_used_at=record.last_used_at)


# Law 5 and 9


@broken_core({5}, "revoke spares what has ended", "coatcheck._flows.single.revoke")
def _revoke_live(core: Any, now: int, session_id: UUID) -> Any:
    where = Where(state=frozenset({"live"}), now=now)
    return ref_of(session_id, (yield Ask("delete", (session_id, where)))) is not None


@broken_core(
    {5}, "revoke reads the session first and trusts the row", "coatcheck._flows.single.revoke"
)
def _revoke_known(core: Any, now: int, session_id: UUID) -> Any:
    record = record_of(session_id, (yield Ask("load", (session_id,))))
    if record is None or record.pepper_id not in core.config.keyring.by_id:
        return False
    return ref_of(session_id, (yield Ask("delete", (session_id, Where())))) is not None


@broken_core({9}, "update looks whether it is live, and then writes", UPDATE)
def _check_then_act(core: Any, now: int, session_id: UUID, fields: Any) -> Any:
    record = record_of(session_id, (yield Ask("load", (session_id,))))
    if record is None or record.state(now) != "live":
        return None
    changes = single.changes_of(now, fields)
    changed = record_of(session_id, (yield Ask("update", (session_id, changes, Where()))))
    return changed and Session(changed)


# Law 7 and 8, composed


@broken_core({7}, "a composed revoke_all forgets what to keep",
             "coatcheck._flows.composed.delete_where", make=required_only)  # fmt: skip
def _composed_forgets(where: Where, keep: frozenset[UUID]) -> Any:
    return (yield from _delete_where(where, frozenset()))


@broken_core({7, 9}, "a composed update_all ends after its first page",
             "coatcheck._flows.composed.update_where", make=required_only)  # fmt: skip
def _composed_one(where: Where, changes: Any) -> Any:
    page = yield from composed._page(where, None, 2)
    for record in page:
        yield Ask("update", (record.id, changes, where))
    return len(page)


@broken_core({9}, "a composed update_all without its guard",
             "coatcheck._flows.composed.update_where", make=required_only)  # fmt: skip
def _composed_unguarded(where: Where, changes: Any) -> Any:
    page = yield from composed._page(where, None, 100)
    for record in page:
        yield Ask("update", (record.id, changes, Where()))
    return len(page)


@broken_core({7}, "a composed revoke_all without its guard",
             "coatcheck._flows.composed.delete_where", make=required_only)  # fmt: skip
def _composed_bare(where: Where, keep: frozenset[UUID]) -> Any:
    page = yield from composed._page(where, None, 100)
    refs = []
    for record in page:
        if record.id not in keep:
            ref = yield Ask("delete", (record.id, Where()))
            refs += [ref] * (ref is not None)
    return refs


@broken_core({8}, "update writes back every field that it read", UPDATE)
def _every_field(core: Any, now: int, session_id: UUID, fields: Any) -> Any:
    record = record_of(session_id, (yield Ask("load", (session_id,))))
    if record is None:
        return None
    names = ("scopes", "metadata", "expires_at", "inactivity_timeout")
    read = {name: getattr(record, name) for name in names}
    changes = {**read, **single.changes_of(now, fields)}
    where = Where(state=frozenset({"live"}), now=now)
    changed = record_of(session_id, (yield Ask("update", (session_id, changes, where))))
    return changed and Session(changed)


@broken_core({8}, "update writes back the metadata that it read", UPDATE)
def _metadata_too(core: Any, now: int, session_id: UUID, fields: Any) -> Any:
    record = record_of(session_id, (yield Ask("load", (session_id,))))
    if record is None:
        return None
    changes = {"metadata": record.metadata, **single.changes_of(now, fields)}
    where = Where(state=frozenset({"live"}), now=now)
    changed = record_of(session_id, (yield Ask("update", (session_id, changes, where))))
    return changed and Session(changed)


@broken_core({8}, "a composed update_all writes back the scopes of the page",
             "coatcheck._flows.composed.update_where", make=required_only)  # fmt: skip
def _composed_scopes(where: Where, changes: Any) -> Any:
    page = yield from composed._page(where, None, 100)
    number = 0
    for record in page:
        answer = yield Ask("update", (record.id, {"scopes": record.scopes, **changes}, where))
        number += answer is not None
    return number


@broken_core({8, 9}, "a composed update_all writes back every field of the page",
             "coatcheck._flows.composed.update_where", make=required_only)  # fmt: skip
def _composed_every_field(where: Where, changes: Any) -> Any:
    page = yield from composed._page(where, None, 100)
    for record in page:
        names = ("scopes", "metadata", "expires_at", "inactivity_timeout")
        read = {name: getattr(record, name) for name in names}
        yield Ask("update", (record.id, {**read, **changes}, where))
    return len(page)


# Law 14, composed: see broken_filters


# Law 16


@broken_core({16}, "a store error becomes an unknown token", VALIDATE)
def _error_is_unknown(core: Any, now: int, token: Any, touch: bool) -> Any:
    try:
        return (yield from _validate(core, now, token, touch))
    except BackendError:
        return Rejection(RejectionReason.UNKNOWN)


@broken_core({11, 16}, "a store error gives the session as it was last seen", VALIDATE)
def _error_is_cached(core: Any, now: int, token: Any, touch: bool) -> Any:
    try:
        answer = yield from _validate(core, now, token, touch)
        core.config.now.seen = answer
    except BackendError:
        return core.config.now.seen
    return answer


@broken_core({16, 18}, "a failed touch fails the validation", "coatcheck._flows.validate._touch")
def _failed_touch_fails(record: Any, now: int) -> Any:
    touched = yield Ask("touch", (record.id, now))
    return record._replace(last_used_at=max(now, record.last_used_at)) if touched else None


@broken_core({16}, "a failed touch is a rejection", "coatcheck._flows.validate._touch")
def _failed_touch_rejects(record: Any, now: int) -> Any:
    try:
        touched = yield Ask("touch", (record.id, now))
    except BackendError:
        return None
    return record._replace(last_used_at=max(now, record.last_used_at)) if touched else None


@broken_core(
    {16, 18}, "a failed rewrite fails the validation", "coatcheck._flows.validate._rewrite"
)
def _failed_rewrite_fails(core: Any, record: Any, secret: Any) -> Any:
    hasher = core.config.hasher
    new = hasher.hash(record.id, record.user_id, secret)
    args = (record.id, record.key_hash, new, hasher.pepper_id)
    replaced = yield Ask("replace_key_hash", args)
    return record._replace(key_hash=new, pepper_id=hasher.pepper_id) if replaced else record


@broken_core({16}, "a touch may take all of the deadline", "coatcheck._flows.validate._touch")
def _long_touch(record: Any, now: int) -> Any:
    try:
        touched = yield Ask("touch", (record.id, now))
    except BackendError as error:
        validate._log_failure(record.id, "its use was not recorded", error)
        return record
    return record._replace(last_used_at=max(now, record.last_used_at)) if touched else None


@broken_core({16}, "whatever the backend answers is believed",
             "coatcheck._flows.answers.record_of")  # fmt: skip
def _believed(session_id: UUID, answer: Any) -> Any:
    return answer


@broken_core({16}, "a failed revocation is told as done", "coatcheck._flows.single.revoke")
def _revoke_told(core: Any, now: int, session_id: UUID) -> Any:
    try:
        return ref_of(session_id, (yield Ask("delete", (session_id, Where())))) is not None
    except BackendError:
        return True


@broken_core({16}, "a failed find gives no sessions", "coatcheck._flows.bulk.find")
def _find_nothing(*args: Any) -> Any:
    try:
        return (yield from _find(*args))
    except BackendError:
        return []
