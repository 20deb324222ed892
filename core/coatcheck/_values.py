"""What a manager returns: immutable, slotted, and free of secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Literal, NoReturn
from uuid import UUID

from ._contract.records import Record
from ._errors import BackendError
from ._shapes import is_mapping
from ._times import MILLISECOND, Milliseconds, ms_to_instant


class _Immutable:
    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable: cannot set {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable: cannot delete {name!r}")


class Session(_Immutable):
    """A session as the store has it. Times are aware UTC datetimes of millisecond precision.

    Times and metadata are decoded when they are read, so that a request which
    needs only the user and the scopes pays for no more. Truthy, unlike a
    `Rejection`. Reading an attribute raises `BackendError` if the store's row
    holds what is no instant or no JSON object.
    """

    __slots__ = ("_facts", "pepper_id")

    _facts: tuple[Any, ...]
    pepper_id: Final[str]  # type: ignore[misc]  # set through its slot, past __setattr__
    """Which pepper the stored hash was made with (`coatcheck pepper status`)."""

    def __init__(self, record: Record) -> None:
        # All but the hash, which no value outside of the core carries.
        _set_facts(self, record[:9])
        _set_pepper_id(self, record[10])

    @property
    def id(self) -> UUID:
        """Names the session; no secret. UUIDv7, so ids sort by time of issue."""
        return self._facts[0]  # type: ignore[no-any-return]

    @property
    def user_id(self) -> str:
        """Whose session it is, as given to `issue`."""
        return self._facts[1]  # type: ignore[no-any-return]

    @property
    def method(self) -> str:
        """How the user signed in, as given to `issue`."""
        return self._facts[2]  # type: ignore[no-any-return]

    @property
    def scopes(self) -> frozenset[str]:
        """What the session may do, as of this validation."""
        return self._facts[3]  # type: ignore[no-any-return]

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The JSON object given to `issue` or `update`; a fresh copy at each access."""
        try:
            decoded = json.loads(self._facts[4])
        except (ValueError, RecursionError):
            decoded = None
        if not is_mapping(decoded):
            raise self._unreadable("metadata")
        return MappingProxyType(decoded)

    @property
    def created_at(self) -> datetime:
        """When the session was issued."""
        return self._instant("created_at", self._facts[5])

    @property
    def last_used_at(self) -> datetime:
        """The last recorded use. Uses are recorded once per touch interval, or per tenth of the
        session's own inactivity timeout if that is less."""
        return self._instant("last_used_at", self._facts[6])

    @property
    def expires_at(self) -> datetime | None:
        """The absolute end; `None` if there is none."""
        instant: Milliseconds | None = self._facts[7]
        return None if instant is None else self._instant("expires_at", instant)

    @property
    def inactivity_timeout(self) -> timedelta | None:
        """How long the session may rest; `None` for ever."""
        span: Milliseconds | None = self._facts[8]
        try:
            return None if span is None else span * MILLISECOND
        except OverflowError:
            raise self._unreadable("inactivity_timeout") from None

    @property
    def valid_until(self) -> datetime | None:
        """The earlier of the two ends, as of now; `None` if there is neither."""
        instant = _record(self._facts, self.pepper_id).valid_until
        return None if instant is None else self._instant("valid_until", instant)

    def _instant(self, field: str, milliseconds: Milliseconds) -> datetime:
        try:
            return ms_to_instant(milliseconds)
        except OverflowError:
            raise self._unreadable(field) from None

    def _unreadable(self, field: str) -> BackendError:
        return BackendError(f"session {self.id}: the stored {field} cannot be read")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Session):
            return NotImplemented
        return self._facts == other._facts and self.pepper_id == other.pepper_id

    def __hash__(self) -> int:
        return hash(self._facts)

    def __repr__(self) -> str:
        return (
            f"Session(id={self.id}, user_id={self.user_id!r}, method={self.method!r}, "
            f"scopes={sorted(self.scopes)!r})"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self._facts, self.pepper_id)


_set_facts = Session.__dict__["_facts"].__set__
_set_pepper_id = Session.__dict__["pepper_id"].__set__


def _record(facts: tuple[Any, ...], pepper_id: str) -> Record:
    """The record again, without its hash."""
    return Record._make((*facts, "", pepper_id))


def _restore(facts: tuple[Any, ...], pepper_id: str) -> Session:
    """A pickled session, back."""
    return Session(_record(facts, pepper_id))


class IssuedSession(_Immutable):
    """A new session and its token, which is shown here and never again.

    The repr hides the token, and pickling is refused.
    """

    __slots__ = ("session", "token")

    token: Final[str]  # type: ignore[misc]
    """What the client presents from now on."""
    session: Final[Session]  # type: ignore[misc]
    """The session, as it was stored."""

    def __init__(self, token: str, session: Session) -> None:
        object.__setattr__(self, "token", token)
        object.__setattr__(self, "session", session)

    def __repr__(self) -> str:
        return f"IssuedSession(token=…, session={self.session!r})"

    def __rich_repr__(self) -> tuple[Session]:
        return (self.session,)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("an IssuedSession holds a token and cannot be pickled or copied")


class RejectionReason(StrEnum):
    """Why a token was refused. For logs and tests; a client is told only "invalid"."""

    MALFORMED = "malformed"
    """Not a token: wrong prefix, spelling, length or checksum. The store was not asked."""
    UNKNOWN = "unknown"
    """No such session: revoked, purged or never issued."""
    WRONG_SECRET = "wrong_secret"  # noqa: S105 - a reason, not a secret
    """The session exists and the secret is not its own."""
    UNKNOWN_PEPPER = "unknown_pepper"
    """The hash was made with a pepper that is not configured: an operator's mistake."""
    EXPIRED = "expired"
    """Authentic, and `expires_at` has come."""
    INACTIVE = "inactive"
    """Authentic, and unused for `inactivity_timeout`."""


class Rejection(_Immutable):
    """A refused token. Falsy, and says why."""

    __slots__ = ("reason", "session_id")

    reason: Final[RejectionReason]  # type: ignore[misc]
    """Why the token was refused."""
    session_id: Final[UUID | None]  # type: ignore[misc]
    """Which session the token named; `None` if it was malformed."""

    def __init__(self, reason: RejectionReason, session_id: UUID | None = None) -> None:
        object.__setattr__(self, "reason", reason)
        object.__setattr__(self, "session_id", session_id)

    def __bool__(self) -> Literal[False]:
        return False

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Rejection):
            return NotImplemented
        return self.reason is other.reason and self.session_id == other.session_id

    def __hash__(self) -> int:
        return hash((self.reason, self.session_id))

    def __repr__(self) -> str:
        return f"Rejection(reason={self.reason.value!r}, session_id={self.session_id})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Rejection, (self.reason, self.session_id)
