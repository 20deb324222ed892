"""From the filters of a call to a `Where`. None of them ever means "all" by accident."""

from __future__ import annotations

from typing import Any

from .. import _fields
from .._contract.info import Capability
from .._contract.records import ENDED, LIVE, State, Where
from .._errors import InvalidInput
from .._times import Milliseconds
from .._unset import UNSET
from .steps import Core


def where_of(core: Core, call: str, now: Milliseconds, filters: dict[str, Any]) -> Where:
    """The filters that were given, checked by the rules of their fields.

    Raises `InvalidInput` for `None`, since a bug upstream must not reach
    everybody, and `Unsupported` where the store cannot look without a user id.
    """
    given = {name: value for name, value in filters.items() if value is not UNSET}
    for name, value in given.items():
        if value is None:
            raise InvalidInput(f"{name} must not be None; leave a filter out to match every value")
    user_id = _text(given, "user_id")
    if user_id is None:
        core.require(Capability.SCAN, f"{call} without user_id")
    return Where(
        user_id=user_id,
        method=_text(given, "method"),
        scope=_fields.scope("scope", given["scope"]) if "scope" in given else None,
        pepper_id=_text(given, "pepper_id"),
        state=_state(given),
        now=now,
    )


def where_of_bulk(
    core: Core, call: str, now: Milliseconds, filters: dict[str, Any], everyone: object
) -> Where:
    """The same for a call that changes sessions: it needs a filter, or `everyone=True` alone."""
    where = where_of(core, call, now, filters)
    filtered = any(value is not UNSET for value in filters.values())
    if _fields.flag("everyone", everyone):
        if filtered:
            raise InvalidInput(f"{call}: everyone=True takes no other filter")
    elif not filtered:
        names = ", ".join(filters)
        raise InvalidInput(f"{call} needs a filter ({names}), or everyone=True")
    return where


def _text(given: dict[str, Any], name: str) -> str | None:
    return _fields.text(name, given[name]) if name in given else None


def _state(given: dict[str, Any]) -> frozenset[State] | None:
    if "live" not in given:
        return None
    return LIVE if _fields.flag("live", given["live"]) else ENDED
