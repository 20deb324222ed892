"""What breaks no law alone: backends that are not as they say of themselves, are closed or
prepared badly, and cores that take what the rules of the fields refuse."""

from __future__ import annotations

import itertools
from typing import Any

from coatcheck import BackendInfo, BackendUnavailable, Capability, SchemaMissing, Unsupported
from coatcheck import _fields as fields
from coatcheck._managers.sync import SessionManager
from coatcheck_backends.memory import MemoryBackend
from coatcheck_conformance import Face

from .declaring import broken, broken_core, broken_store, marked
from .harnesses import InMemory
from .processes import Front, broken_front

REQUIRE = "coatcheck._flows.steps.Core.require"
_text, _metadata, _flag = fields.text, fields.metadata, fields.flag


class WithoutScan(MemoryBackend):
    """A correct one, which declares less than it can do."""

    def info(self) -> BackendInfo:
        return BackendInfo("users", 1, {Capability.LINEARIZABLE})


def _without_scan() -> InMemory:
    return InMemory(marked(WithoutScan)())


# Capabilities


@broken_core(
    {0, 7, 17}, "a capability that is not declared is not missed", REQUIRE, make=_without_scan
)
def _not_missed(core: Any, capability: Any, call: str) -> None:
    return None


@broken_core(
    {0, 17}, "a missing capability is refused without its name", REQUIRE, make=_without_scan
)
def _nameless(core: Any, capability: Any, call: str) -> None:
    if capability not in core.backend.capabilities:
        raise Unsupported("this store cannot")


@broken_core({0, 17}, "a store that takes no transactions is given one",
             "coatcheck._managers.sync.SessionManager.within")  # fmt: skip
def _given_one(sessions: SessionManager, transaction: object) -> object:
    return sessions


@broken_store({0}, "a backend says of itself now this and now that")
class Fickle(MemoryBackend):
    times = itertools.count()

    def info(self) -> BackendInfo:
        durable = {Capability.DURABLE} if next(self.times) else set()
        return BackendInfo("memory", 1, {Capability.SCAN, *durable})


# Life cycle


@broken_front({0}, "closing a second time is an error")
class ClosedOnce(Front):
    closed = False

    def close(self) -> None:
        if self.closed:
            raise BackendUnavailable("it is closed already")
        self.closed = True


@broken_front({0}, "closing one opening closes the store for all")
class ClosesAll(Front):
    def close(self) -> None:
        self._records.clear()


@broken_store(
    {0, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19},
    "preparing a second time is an error",
)
class PreparedOnce(MemoryBackend):
    prepared = False

    def prepare(self, create: bool) -> None:
        if self.prepared and create:
            raise BackendUnavailable("the table exists already")
        self.prepared = True


class WithSchema(MemoryBackend):
    """A correct one, with something to prepare.

    :ivar is_made: whether somebody has.
    """

    is_made = False

    def prepare(self, create: bool) -> None:
        if not (create or self.is_made):
            raise SchemaMissing("memory: nobody has prepared it")
        self.is_made = True


class Preparable(InMemory):
    """Over a kind of these."""

    def __init__(self, kind: type[Any]) -> None:
        super().__init__(marked(kind)())

    def unprepared(self, face: Face) -> object:
        return type(self.backend)()


def broken_preparation(name: str) -> Any:
    """Decorates a class that prepares badly."""

    def add(kind: type[WithSchema]) -> type[WithSchema]:
        broken(name, {0}, lambda: Preparable(kind))
        return kind

    return add


@broken_preparation("a look at the schema makes it")
class MadeByLook(WithSchema):
    def prepare(self, create: bool) -> None:
        self.is_made = True


@broken_preparation("a missing schema is refused once, and made by that")
class RefusedOnce(WithSchema):
    def prepare(self, create: bool) -> None:
        try:
            super().prepare(create)
        finally:
            self.is_made = True


@broken_preparation("a missing schema is an error of the store")
class OtherError(WithSchema):
    def prepare(self, create: bool) -> None:
        if not (create or self.is_made):
            raise BackendUnavailable("there is no such table")
        self.is_made = True


# Field rules


@broken_core({0, 18}, "control characters in a text are taken", "coatcheck._fields.text")
def _any_character(field: str, value: object) -> str:
    if isinstance(value, str) and 1 <= len(value) <= fields.MAX_TEXT:
        return value
    return _text(field, value)


@broken_core({0}, "a text that is too long is cut", "coatcheck._fields.text")
def _cut(field: str, value: object) -> str:
    return _text(field, value[: fields.MAX_TEXT] if isinstance(value, str) else value)


@broken_core({0}, "a number is taken for a text", "coatcheck._fields.text")
def _any_type(field: str, value: object) -> str:
    return _text(field, str(value) if isinstance(value, int) else value)


@broken_core({0}, "any truth is taken for a flag", "coatcheck._fields.flag")
def _any_truth(field: str, value: object) -> bool:
    return bool(value)


@broken_core({0}, "metadata may be of any size", "coatcheck._fields.metadata")
def _any_size(value: object) -> str:
    with_room = fields.MAX_METADATA_BYTES
    fields.MAX_METADATA_BYTES = 10**9
    try:
        return _metadata(value)
    finally:
        fields.MAX_METADATA_BYTES = with_room
