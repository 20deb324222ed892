"""What every call must answer: the laws once more, as a dictionary.

Written from the laws alone. It shares no code with the core or with a backend, keeps
datetimes where they keep integers, and has one thread and no store. A test drives a
manager and this model with the same calls and compares.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from coatcheck import Session

from .clock import MILLISECOND, rounded

End = Literal["expired", "inactive"]
KEEP: Final[Any] = object()
"""In `Model.update`: leave the field as it is."""


@dataclass(frozen=True)
class Facts:
    """The public fields of one session."""

    id: UUID
    user_id: str
    method: str
    scopes: frozenset[str]
    metadata: dict[str, Any]
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime | None
    inactivity_timeout: timedelta | None
    pepper_id: str

    @property
    def valid_until(self) -> datetime | None:
        """The earlier of the two ends."""
        ends = [] if self.expires_at is None else [self.expires_at]
        if self.inactivity_timeout is not None:
            ends.append(self.last_used_at + self.inactivity_timeout)
        return min(ends, default=None)

    def end(self, now: datetime) -> End | None:
        """How it has ended; `None` while it is live."""
        now = rounded(now)
        if self.valid_until is None or now < self.valid_until:
            return None
        return "expired" if self.expires_at is not None and self.expires_at <= now else "inactive"

    def interval(self, touch_interval: timedelta) -> timedelta:
        """How long a use must be ago before the next one is recorded."""
        if self.inactivity_timeout is None:
            return touch_interval
        return min(touch_interval, whole(self.inactivity_timeout / 10))


def whole(span: timedelta) -> timedelta:
    """A span of whole milliseconds, rounded down."""
    return (span // MILLISECOND) * MILLISECOND


def facts_of(session: Session) -> Facts:
    """A session that a manager returned, taken apart."""
    facts = Facts(
        id=session.id,
        user_id=session.user_id,
        method=session.method,
        scopes=session.scopes,
        metadata=dict(session.metadata),
        created_at=session.created_at,
        last_used_at=session.last_used_at,
        expires_at=session.expires_at,
        inactivity_timeout=session.inactivity_timeout,
        pepper_id=session.pepper_id,
    )
    if session.valid_until != facts.valid_until:
        raise AssertionError("valid_until is the earlier of the two ends")
    return facts


def same(left: Any, right: Any) -> bool:
    """Equality of JSON values that tells `True`, `1` and `1.0` apart, and `-0.0` from `0.0`."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))  # pyright: ignore[reportUnknownArgumentType]
    return bool(left == right) and repr(left) == repr(right)


def differences(actual: Facts | None, expected: Facts | None) -> dict[str, tuple[Any, Any]]:
    """The fields in which two sessions differ, by name; empty if they are the same."""
    if actual is None or expected is None:
        return {} if actual is expected else {"session": (actual, expected)}
    pairs = {name: (getattr(actual, name), getattr(expected, name)) for name in vars(expected)}
    return {
        name: (a, e)
        for name, (a, e) in pairs.items()
        if not (same(a, e) if name == "metadata" else type(a) is type(e) and a == e)
    }


class Model:
    """Every session that there is, and what each call does to it.

    :param touch_interval: as the manager has it.
    """

    def __init__(self, *, touch_interval: timedelta) -> None:
        self.touch_interval = touch_interval
        self.sessions: dict[UUID, Facts] = {}

    def issue(self, facts: Facts) -> None:
        """Take in a session that a manager has issued."""
        if facts.id in self.sessions:
            raise AssertionError("every session has an id of its own")
        self.sessions[facts.id] = replace(facts, metadata=copy.deepcopy(facts.metadata))

    def validate(
        self,
        session_id: UUID,
        now: datetime,
        *,
        touch: bool,
        pepper_id: str,
        known: Collection[str] | None = None,
        touch_interval: timedelta | None = None,
    ) -> Facts | Literal["unknown", "unknown_pepper"] | End:
        """For the right secret.

        :param pepper_id: the one under which the manager writes.
        :param known: those under which it verifies; all, if not given.
        :param touch_interval: that of the manager, if it is not the usual one.
        """
        facts = self.sessions.get(session_id)
        if facts is None:
            return "unknown"
        if known is not None and facts.pepper_id not in known:
            return "unknown_pepper"
        end = facts.end(now)
        if end is not None:
            return end
        if touch:
            interval = self.touch_interval if touch_interval is None else touch_interval
            due = rounded(now) - facts.last_used_at >= facts.interval(interval)
            used = max(rounded(now), facts.last_used_at) if due else facts.last_used_at
            facts = replace(facts, last_used_at=used, pepper_id=pepper_id)
            self.sessions[session_id] = facts
        return facts

    def matching(
        self,
        now: datetime,
        *,
        user_id: str | None = None,
        method: str | None = None,
        scope: str | None = None,
        live: bool | None = None,
        pepper_id: str | None = None,
    ) -> list[Facts]:
        """The sessions that match every filter given, in the order of their ids."""
        tests: list[Callable[[Facts], bool]] = []
        if user_id is not None:
            tests.append(lambda facts: facts.user_id == user_id)
        if method is not None:
            tests.append(lambda facts: facts.method == method)
        if scope is not None:
            tests.append(lambda facts: scope in facts.scopes)
        if live is not None:
            tests.append(lambda facts: (facts.end(now) is None) is live)
        if pepper_id is not None:
            tests.append(lambda facts: facts.pepper_id == pepper_id)
        chosen = (facts for facts in self.sessions.values() if all(test(facts) for test in tests))
        return sorted(chosen, key=lambda facts: facts.id.bytes)

    def update(
        self,
        session_id: UUID,
        now: datetime,
        *,
        scopes: Iterable[str] = KEEP,
        metadata: Mapping[str, Any] = KEEP,
        expires_at: datetime | None = KEEP,
        inactivity_timeout: timedelta | None = KEEP,
    ) -> Facts | None:
        """The session after the named fields were set; `None` if it is absent or ended."""
        facts = self.sessions.get(session_id)
        if facts is None or facts.end(now) is not None:
            return None
        changes: dict[str, Any] = {}
        if scopes is not KEEP:
            changes["scopes"] = frozenset(scopes)
        if metadata is not KEEP:
            changes["metadata"] = copy.deepcopy(dict(metadata))
        if expires_at is not KEEP:
            changes["expires_at"] = None if expires_at is None else rounded(expires_at)
        if inactivity_timeout is not KEEP:
            timeout = inactivity_timeout
            changes["inactivity_timeout"] = None if timeout is None else whole(timeout)
        self.sessions[session_id] = changed = replace(facts, **changes)
        return changed

    def update_all(self, now: datetime, filters: Mapping[str, Any], **changes: Any) -> int:
        """How many live sessions matched and were changed."""
        chosen = self.matching(now, live=True, **filters)
        for facts in chosen:
            self.update(facts.id, now, **changes)
        return len(chosen)

    def revoke(self, session_id: UUID) -> bool:
        """Whether it was there."""
        return self.sessions.pop(session_id, None) is not None

    def revoke_all(
        self, now: datetime, filters: Mapping[str, Any], keep: Collection[UUID] = ()
    ) -> set[tuple[UUID, str, str]]:
        """Which were removed: id, user and method of each."""
        doomed = [facts for facts in self.matching(now, **filters) if facts.id not in keep]
        for facts in doomed:
            del self.sessions[facts.id]
        return {(facts.id, facts.user_id, facts.method) for facts in doomed}

    def purge(self, now: datetime, *, expired: bool = True, inactive: bool = True) -> int:
        """How many ended ones were removed."""
        wanted = {"expired": expired, "inactive": inactive}
        ended = [facts for facts in self.sessions.values() if wanted.get(str(facts.end(now)))]
        for facts in ended:
            del self.sessions[facts.id]
        return len(ended)
