"""The indexes and the version of the store, made in numbered steps and checked at every start.

The version stands in a small collection of its own, beside the sessions. Every step can be
run again by many processes at once, and none drops anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from pymongo import IndexModel

from coatcheck import BackendError, ConfigError, DuplicateSession, SchemaMissing, SchemaTooNew

from .operations import BY_EXPIRY, BY_INACTIVITY, BY_PEPPER, BY_USER
from .steps import Call, Flow

_OLDEST_WIRE_VERSION: Final = 9  # MongoDB 4.4

INDEXES: Final[Mapping[str, dict[str, Any]]] = {
    BY_USER: {"key": [("user_id", 1), ("_id", 1)]},
    BY_PEPPER: {"key": [("pepper_id", 1), ("_id", 1)]},
    BY_EXPIRY: {
        "key": [("expires_at", 1)],
        "partialFilterExpression": {"expires_at": {"$type": "long"}},
    },
    BY_INACTIVITY: {
        "key": [("inactive_at", 1)],
        "partialFilterExpression": {"inactive_at": {"$type": "long"}},
    },
}
"""By name, as the server describes them."""


def prepare(create: bool) -> Flow[bool]:
    """Check everything, and with `create` make what is missing.

    Gives whether the server is of a replica set, or leads to some.
    """
    hello = yield Call("admin", "command", ("hello",))
    if hello.get("maxWireVersion", 0) < _OLDEST_WIRE_VERSION:
        raise ConfigError("mongodb: version 4.4 or later is needed")
    yield from _check_collection()
    missing = yield from _missing()
    if missing is not None:
        if not create:
            raise missing
        yield from _make()
    return "setName" in hello or hello.get("msg") == "isdbgrid"


def _make() -> Flow[None]:
    for step in STEPS:
        yield from step()
    yield from _write_version()
    missing = yield from _missing()
    if missing is not None:
        raise missing


def check_version() -> Flow[None]:
    """The least there is to ask. Raises `SchemaMissing`, `SchemaTooNew`."""
    missing = yield from _missing_version()
    if missing is not None:
        raise missing


def _make_indexes() -> Flow[None]:
    models = [
        IndexModel(index["key"], name=name, **{k: v for k, v in index.items() if k != "key"})
        for name, index in INDEXES.items()
    ]
    yield Call("sessions", "create_indexes", (models,), writing=True)


STEPS: Final[tuple[Callable[[], Flow[None]], ...]] = (_make_indexes,)
"""Step n brings a store of version n - 1 to version n. One that was run may be run again."""


def _write_version() -> Flow[None]:
    # Never back: another process may know more steps.
    args = ({"_id": "schema"}, {"$max": {"version": len(STEPS)}})
    with suppress(DuplicateSession):  # another process was faster
        yield Call("version", "update_one", args, {"upsert": True}, writing=True)


def _missing() -> Flow[SchemaMissing | None]:
    """What is not there, if anything. Raises `SchemaTooNew`."""
    missing = yield from _missing_version()
    if missing is not None:
        return missing
    found = yield Call("sessions", "index_information", ())
    for name, wanted in INDEXES.items():
        index = dict(found.get(name, {}))
        index.pop("v", None)
        if index != wanted:
            what = "has another definition" if index else "is missing"
            return SchemaMissing(f"mongodb: the index {name} {what}; run `coatcheck prepare`")
    return None


def _missing_version() -> Flow[SchemaMissing | None]:
    found = yield Call("version", "find_one", ({"_id": "schema"},))
    if found is None:
        return SchemaMissing("mongodb: there is no coatcheck schema; run `coatcheck prepare`")
    version = found.get("version")
    if type(version) is not int:
        raise BackendError("mongodb: the schema's version cannot be read")
    if version > len(STEPS):
        raise SchemaTooNew("mongodb: the schema was made by a newer coatcheck than this one")
    if version < len(STEPS):
        return SchemaMissing("mongodb: the schema is older than this one; run `coatcheck prepare`")
    return None


def _check_collection() -> Flow[None]:
    options = yield Call("sessions", "options", ())
    for option, why in _UNFIT.items():
        if option in options:
            raise ConfigError(f"mongodb: the collection cannot hold sessions: {why}")


_UNFIT: Final[Mapping[str, str]] = {
    "collation": "with a collation of its own, different users could be taken for one",
    "capped": "it is capped, and drops the oldest",
    "timeseries": "it is a time series",
    "viewOn": "it is a view",
}
