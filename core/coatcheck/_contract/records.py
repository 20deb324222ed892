"""What a backend stores and is asked for, as tuples: immutable, and quick to make.

Integers are milliseconds; instants count from the Unix epoch in UTC. Nothing in here
is a secret but `Record.key_hash`, which no repr shows.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypedDict
from uuid import UUID

State = Literal["live", "expired", "inactive"]

LIVE: frozenset[State] = frozenset({"live"})
ENDED: frozenset[State] = frozenset({"expired", "inactive"})


class Record(NamedTuple):
    """One stored session."""

    id: UUID
    user_id: str
    method: str
    scopes: frozenset[str]
    metadata: str
    """The core's own compact JSON text; a backend stores it and need not read it."""
    created_at: int
    last_used_at: int
    expires_at: int | None
    inactivity_timeout: int | None
    key_hash: str
    """PHC string of the secret. May be written nowhere but into the store."""
    pepper_id: str

    @property
    def valid_until(self) -> int | None:
        """The earlier of the two ends; `None` if there is neither."""
        expires_at, timeout = self.expires_at, self.inactivity_timeout
        if timeout is None:
            return expires_at
        inactive_at = self.last_used_at + timeout
        return inactive_at if expires_at is None or inactive_at < expires_at else expires_at

    def state(self, now: int) -> State:
        """`live` while `now < valid_until`; of an ended one, `expired` comes before `inactive`."""
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        timeout = self.inactivity_timeout
        if timeout is not None and self.last_used_at + timeout <= now:
            return "inactive"
        return "live"

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name in self._fields if name != "key_hash")
        return f"Record({', '.join(shown)})"


class Changes(TypedDict, total=False):
    """The fields that an update sets, and no others. A key that is absent stays as it is."""

    scopes: frozenset[str]
    metadata: str
    expires_at: int | None
    inactivity_timeout: int | None


class Where(NamedTuple):
    """A filter: every field that is not `None` must match; `now` filters nothing by itself.
    `Where()` matches everything."""

    user_id: str | None = None
    method: str | None = None
    scope: str | None = None
    """One scope that the session must have, among others."""
    pepper_id: str | None = None
    state: frozenset[State] | None = None
    """Any of these states at the instant `now`."""
    now: int = 0

    def matches(self, record: Record) -> bool:
        """The reference that every backend's own filtering must agree with."""
        return (
            (self.user_id is None or record.user_id == self.user_id)
            and (self.method is None or record.method == self.method)
            and (self.scope is None or self.scope in record.scopes)
            and (self.pepper_id is None or record.pepper_id == self.pepper_id)
            and (self.state is None or record.state(self.now) in self.state)
        )


class SessionRef(NamedTuple):
    """What is left to say of a session that was revoked."""

    id: UUID
    user_id: str
    method: str
