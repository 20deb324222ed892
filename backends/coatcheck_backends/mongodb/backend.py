"""The storage hooks of MongoDB for `SessionManager`, over pymongo's `MongoClient`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

import pymongo
from pymongo import MongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.client_session import ClientSession

from coatcheck import (
    BackendInfo,
    Capability,
    Changes,
    Record,
    SessionRef,
    Where,
    hookimpl,
    remaining,
)

from . import schema, steps
from .bound import within
from .clients import FAREWELL, Collections, Deadline, OwnClient, Source
from .documents import Document
from .elections import after_asking, up_to_date
from .errors import FAILURES
from .location import Location
from .steps import Call, Flow, Pause, failure_of, prepared

T = TypeVar("T")


def info_of(location: Location, *, asynchronous: bool) -> BackendInfo:
    """What both backends say of themselves."""
    capabilities = {
        Capability.TRANSACTIONS,
        Capability.SHARED,
        Capability.DURABLE,
        Capability.SCAN,
    }
    if location.strict:
        capabilities.add(Capability.LINEARIZABLE)
    return BackendInfo("mongodb", 1, capabilities, asynchronous=asynchronous)


class MongoBackend:
    """Every hook, the optional ones too.

    :param source: the caller's client, within a transaction.
    """

    def __init__(self, location: Location, source: Source | None = None) -> None:
        self._location = location
        self._own = OwnClient(location, MongoClient[Document])
        self._source: Source = source or self._own

    @hookimpl
    def info(self) -> BackendInfo:
        return info_of(self._location, asynchronous=False)

    @hookimpl
    def prepare(self, create: bool) -> None:
        self._own.reopen()
        replicated = self._run(schema.prepare(create))
        self._own.settle(replicated=replicated)

    @hookimpl
    def close(self) -> None:
        client = self._own.take()
        if client is not None:
            with pymongo.timeout(min(FAREWELL, max(remaining(), 0.001))):
                client.close()

    @hookimpl
    def ping(self) -> None:
        self._run(schema.check_version())

    @hookimpl
    def insert(self, record: Record) -> None:
        self._run(steps.insert(record))

    @hookimpl
    def load(self, session_id: UUID) -> Record | None:
        return self._run(up_to_date(self._source, lambda: steps.load(session_id)))

    @hookimpl
    def touch(self, session_id: UUID, now: int) -> bool:
        return self._run(steps.touch(session_id, now))

    @hookimpl
    def replace_key_hash(self, session_id: UUID, old: str, new: str, pepper_id: str) -> bool:
        return self._run(steps.replace_key_hash(session_id, old, new, pepper_id))

    @hookimpl
    def update(self, session_id: UUID, changes: Changes, where: Where) -> Record | None:
        return self._run(steps.update(session_id, changes, where))

    @hookimpl
    def delete(self, session_id: UUID, where: Where) -> SessionRef | None:
        return self._run(steps.delete(session_id, where))

    @hookimpl
    def find(self, where: Where, after: UUID | None, limit: int) -> list[Record]:
        return self._run(up_to_date(self._source, lambda: steps.find(where, after, limit)))

    @hookimpl
    def count(self, where: Where) -> int:
        return self._run(up_to_date(self._source, lambda: steps.count(where)))

    @hookimpl
    def update_where(self, where: Where, changes: Changes) -> int:
        return self._run(after_asking(self._source, steps.update_where(where, changes)))

    @hookimpl
    def delete_where(self, where: Where, keep: frozenset[UUID]) -> list[SessionRef]:
        return self._run(after_asking(self._source, steps.delete_where(where, keep)))

    @hookimpl
    def purge(self, where: Where, limit: int) -> int:
        return self._run(after_asking(self._source, steps.purge(where, limit)))

    @hookimpl
    def pepper_counts(self) -> dict[str, int]:
        return self._run(up_to_date(self._source, steps.pepper_counts))

    @hookimpl
    def bound(self, transaction: Any, ended: Callable[[bool], None]) -> object:  # noqa: ARG002 - its end cannot be seen
        """For a `ClientSession` of a `MongoClient`, in a transaction there."""
        self._own.collections()
        source = within(
            self._location, self._own.client, transaction, ClientSession, AsyncClientSession
        )
        return MongoBackend(self._location, source)

    def _run(self, flow: Flow[T]) -> T:
        session = self._source.session
        try:
            deadline = Deadline()
            with pymongo.timeout(deadline.left):
                collections = self._source.collections()
                step = flow.send(None)
                while True:
                    answer = failure = None
                    try:
                        answer = _take(step, collections, session, deadline)
                    except FAILURES as error:
                        failure = failure_of(step, error, session)
                    step = flow.send(answer) if failure is None else flow.throw(failure)
        except StopIteration as done:
            result: T = done.value
            return result


def _take(step: Call | Pause, collections: Collections, session: Any, deadline: Deadline) -> Any:
    if isinstance(step, Pause):
        is_time = deadline.allows(step.seconds)
        if is_time:
            time.sleep(step.seconds)
        return is_time
    deadline.check()
    function, options = prepared(step, collections, session)
    answer = function(*step.args, **options)
    return answer.to_list() if step.many else answer
