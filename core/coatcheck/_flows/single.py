"""The calls on one session by its id: get, update, revoke."""

from __future__ import annotations

from typing import Any

from .. import _fields
from .._contract.records import LIVE, Changes, Where
from .._errors import InvalidInput
from .._times import Milliseconds
from .._unset import UNSET
from .._values import Session
from .answers import record_of, ref_of
from .steps import Ask, Core, Flow, Tell


def get(session_id: object) -> Flow[Session | None]:
    """The session in any state, or `None`."""
    checked = _fields.session_id("session_id", session_id)
    record = record_of(checked, (yield Ask("load", (checked,))))
    return None if record is None else Session(record)


def update(
    core: Core, now: Milliseconds, session_id: object, fields: dict[str, Any]
) -> Flow[Session | None]:
    """Set the named fields of a live session, in one guarded step."""
    checked = _fields.session_id("session_id", session_id)
    changes = changes_of(now, fields)
    answer = yield Ask("update", (checked, changes, Where(state=LIVE, now=now)))
    record = record_of(checked, answer)
    if record is None:
        return None
    session = Session(record)
    if core.observers["session_updated"]:
        yield Tell("session_updated", (session, frozenset(changes)))
    return session


def revoke(core: Core, now: Milliseconds, session_id: object) -> Flow[bool]:
    """Delete the session, whatever its state. True for the one caller that did."""
    checked = _fields.session_id("session_id", session_id)
    ref = ref_of(checked, (yield Ask("delete", (checked, Where(now=now)))))
    if ref is None:
        return False
    if core.observers["sessions_revoked"]:
        yield Tell("sessions_revoked", ([ref],))
    return True


def changes_of(now: Milliseconds, fields: dict[str, Any]) -> Changes:
    """The fields that were given, checked; at least one."""
    changes: Changes = {}
    if fields["scopes"] is not UNSET:
        changes["scopes"] = _fields.scopes(fields["scopes"])
    if fields["metadata"] is not UNSET:
        changes["metadata"] = _fields.metadata(fields["metadata"])
    if fields["expires_at"] is not UNSET:
        end = fields["expires_at"]
        changes["expires_at"] = (
            None if end is None else _fields.instant_after("expires_at", end, now)
        )
    if fields["inactivity_timeout"] is not UNSET:
        changes["inactivity_timeout"] = _fields.inactivity_timeout(fields["inactivity_timeout"])
    if not changes:
        raise InvalidInput(f"update needs at least one field of: {', '.join(fields)}")
    return changes
