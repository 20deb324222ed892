"""What a backend answered, believed only if it can be true."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from .._contract.records import Record, SessionRef, Where
from .._errors import BackendError
from .._shapes import is_list, is_mapping


def record_of(session_id: UUID, answer: Any) -> Record | None:
    """A whole record of this very session, or `None`. On the path of every validation."""
    if answer is None:
        return None
    if type(answer) is not Record:
        raise BackendError(f"session {session_id}: the backend answered no Record")
    id_, user, method, scopes, metadata, created, used, expires, timeout, key_hash, pepper = answer
    if (
        type(user) is not str
        or type(method) is not str
        or type(scopes) is not frozenset
        or type(metadata) is not str
        or type(created) is not int
        or type(used) is not int
        or (expires is not None and type(expires) is not int)
        or (timeout is not None and type(timeout) is not int)
        or type(key_hash) is not str
        or type(pepper) is not str
    ):
        raise BackendError(
            f"session {session_id}: the stored row cannot be read ({_odd_field(answer)})"
        )
    if id_ is not session_id and (type(id_) is not UUID or id_ != session_id):
        raise BackendError(f"session {session_id}: the backend answered another session")
    return answer


_TYPES: dict[str, tuple[type, ...]] = {
    "user_id": (str,),
    "method": (str,),
    "scopes": (frozenset,),
    "metadata": (str,),
    "created_at": (int,),
    "last_used_at": (int,),
    "expires_at": (int, type(None)),
    "inactivity_timeout": (int, type(None)),
    "key_hash": (str,),
    "pepper_id": (str,),
}


def _odd_field(record: Record) -> str:
    """Names the first field that has not its type."""
    return next(name for name, types in _TYPES.items() if type(getattr(record, name)) not in types)


def page_of(where: Where, after: UUID | None, limit: int, answer: Any) -> list[Record]:
    """At most `limit` whole records that match, in the order of their ids."""
    if not is_list(answer) or len(answer) > limit:
        raise BackendError("find: the backend answered no list of at most `limit` records")
    records: list[Record] = []
    last = after
    for item in answer:
        if type(item) is not Record:
            raise BackendError("find: the backend answered what is no Record")
        record = record_of(item.id, item)
        if record is None or (last is not None and not last < record.id):
            raise BackendError(f"session {item.id}: the backend answered it out of order")
        if not where.matches(record):
            raise BackendError(
                f"session {record.id}: the backend answered it and it does not match"
            )
        last = record.id
        records.append(record)
    return records


def ref_of(session_id: UUID, answer: Any) -> SessionRef | None:
    """The reference to this very session, or `None`."""
    if answer is None:
        return None
    if type(answer) is not SessionRef or answer.id != session_id:
        raise BackendError(f"session {session_id}: the backend answered another SessionRef")
    return answer


def refs_of(answer: Any) -> list[SessionRef]:
    """A list of references."""
    if not is_list(answer) or any(type(item) is not SessionRef for item in answer):
        raise BackendError("delete_where: the backend answered no list of SessionRef")
    return answer


def number_of(hook: str, answer: Any) -> int:
    """A count."""
    if type(answer) is not int or answer < 0:
        raise BackendError(f"{hook}: the backend answered no count")
    return answer


def truth_of(hook: str, answer: Any) -> bool:
    """Yes or no."""
    if answer is not True and answer is not False:
        raise BackendError(f"{hook}: the backend answered neither True nor False")
    return answer


def counts_of(answer: Any) -> Mapping[str, int]:
    """Sessions by pepper id."""
    if not is_mapping(answer) or any(
        type(name) is not str or type(number) is not int for name, number in answer.items()
    ):
        raise BackendError("pepper_counts: the backend answered no counts by pepper id")
    return answer
