"""Filters and updates, as pure functions of what is asked for.

Values of users stand under `$eq` in a filter and under `$literal` in a pipeline, so that no
input becomes an operator or the name of a field.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

from bson.int64 import Int64

from coatcheck import Changes, Where

from .documents import Document, values_of

BY_ID: Final = "_id_"
BY_USER: Final = "coatcheck_user"
BY_PEPPER: Final = "coatcheck_pepper"
BY_EXPIRY: Final = "coatcheck_expiry"
BY_INACTIVITY: Final = "coatcheck_inactivity"

_LIVE: Final[frozenset[str]] = frozenset({"live"})
_ALL_STATES: Final[frozenset[str]] = frozenset({"live", "expired", "inactive"})
_NOTHING: Final[Document] = {"$nor": [{}]}

# Of two instants that are long integers: of anything else no update must fail.
_BOTH_LONG: Final = {
    "$and": [
        {"$eq": [{"$type": "$last_used_at"}, "long"]},
        {"$eq": [{"$type": "$inactivity_timeout"}, "long"]},
    ]
}
_DERIVE: Final[Document] = {
    "$set": {
        "inactive_at": {
            "$cond": [_BOTH_LONG, {"$add": ["$last_used_at", "$inactivity_timeout"]}, None]
        }
    }
}
"""The stage that every change of one of its parts ends with, in the same step of the store."""


def one(session_id: UUID) -> Document:
    """The session with this id."""
    return {"_id": session_id}


def one_matching(session_id: UUID, where: Where) -> Document:
    """The same, if it matches."""
    return {"_id": session_id, **matching(where)}


def one_live(session_id: UUID, now: int) -> Document:
    """The same, if it is live."""
    return {"_id": session_id, "$and": _in_states(_LIVE, now, by_index=False)}


def one_with_hash(session_id: UUID, key_hash: str) -> Document:
    """The same, if this is its hash."""
    return {"_id": session_id, "key_hash": {"$eq": key_hash}}


def matching(where: Where, *, by_index: bool = False) -> Document:
    """All that match.

    :param by_index: let the indexes of the two ends find those that have ended. They are
        partial, and only a condition on the type lets them be used: a page in the order of
        ids that stops early, or one user's sessions, are served better by another index.
    """
    fields = {
        "user_id": where.user_id,
        "method": where.method,
        "scopes": where.scope,
        "pepper_id": where.pepper_id,
    }
    condition: Document = {
        name: {"$eq": value} for name, value in fields.items() if value is not None
    }
    if where.state is not None and where.state != _ALL_STATES:
        by_index = by_index and index_of(where) is None
        condition["$and"] = _in_states(where.state, where.now, by_index=by_index)
    return condition


def page(where: Where, after: UUID | None) -> Document:
    """All that match and come after an id."""
    condition = matching(where)
    if after is not None:
        condition["_id"] = {"$gt": after}
    return condition


def sparing(where: Where, keep: Collection[UUID]) -> Document:
    """All that match, but those to keep."""
    condition = matching(where, by_index=True)
    if keep:
        condition["_id"] = {"$nin": list(keep)}
    return condition


def among(ids: list[Any], where: Where) -> Document:
    """Those of these ids that match: the guard of a step that was prepared by a look."""
    return {"_id": {"$in": ids}, **matching(where)}


def index_of(where: Where) -> str | None:
    """The index that serves a filter, whatever the planner may think of next."""
    if where.user_id is not None:
        return BY_USER
    return BY_PEPPER if where.pepper_id is not None else None


def use(now: int) -> list[Document]:
    """The pipeline of a touch."""
    later = {"$max": ["$last_used_at", {"$literal": Int64(now)}]}
    return [{"$set": {"last_used_at": later}}, _DERIVE]


def change(changes: Changes) -> list[Document]:
    """The pipeline that sets these fields."""
    new = {name: {"$literal": value} for name, value in values_of(changes).items()}
    return [{"$set": new}, _DERIVE] if new else [_DERIVE]


def rehash(key_hash: str, pepper_id: str) -> Document:
    """Hash and pepper together."""
    return {"$set": {"key_hash": key_hash, "pepper_id": pepper_id}}


def keeps_matching(where: Where, changes: Changes) -> bool:
    """Whether what matched before a change still matches after it."""
    new_ends = "expires_at" in changes or "inactivity_timeout" in changes
    return not (
        (where.state is not None and new_ends) or (where.scope is not None and "scopes" in changes)
    )


def _in_states(state: frozenset[Any], now: int, *, by_index: bool) -> list[Document]:
    """The conditions, all to be met, that a session is in one of some states at `now`.

    Null is asked for by its type: a field that is missing would be equal to it.
    """
    instant = Int64(now)
    past: Document = {"$type": "long", "$lte": instant} if by_index else {"$lte": instant}
    expired: Document = {"expires_at": past}
    unused: Document = {"inactive_at": past}
    unexpired, used = _none_or_later("expires_at", instant), _none_or_later("inactive_at", instant)
    conditions: dict[frozenset[str], list[Document]] = {
        frozenset(): [_NOTHING],
        _LIVE: [unexpired, used],
        frozenset({"expired"}): [expired],
        frozenset({"inactive"}): [unexpired, unused],
        frozenset({"live", "expired"}): [{"$or": [expired, used]}],
        frozenset({"live", "inactive"}): [unexpired],
        frozenset({"expired", "inactive"}): [{"$or": [expired, unused]}],
    }
    return conditions[state]


def _none_or_later(name: str, instant: Int64) -> Document:
    return {"$or": [{name: {"$type": "null"}}, {name: {"$gt": instant}}]}
