"""The same hooks for `AsyncSessionManager`, over pymongo's `AsyncMongoClient`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from inspect import isawaitable
from typing import Any, TypeVar
from uuid import UUID

import pymongo
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.client_session import ClientSession

from coatcheck import (
    BackendInfo,
    Changes,
    Record,
    SessionRef,
    Where,
    hookimpl,
    remaining,
)

from . import schema, steps
from .backend import info_of
from .bound import within
from .clients import FAREWELL, Collections, Deadline, OwnClient, Source
from .documents import Document
from .elections import after_asking, up_to_date
from .errors import FAILURES
from .location import Location
from .steps import Call, Flow, Pause, failure_of, prepared

T = TypeVar("T")


class AsyncMongoBackend:
    """Every hook, the optional ones too.

    :param source: the caller's client, within a transaction.
    """

    def __init__(self, location: Location, source: Source | None = None) -> None:
        self._location = location
        self._own = OwnClient(location, AsyncMongoClient[Document])
        self._source: Source = source or self._own

    @hookimpl
    def info(self) -> BackendInfo:
        return info_of(self._location, asynchronous=True)

    @hookimpl
    async def prepare(self, create: bool) -> None:
        self._own.reopen()
        replicated = await self._run(schema.prepare(create))
        self._own.settle(replicated=replicated)

    @hookimpl
    async def close(self) -> None:
        client = self._own.take()
        if client is not None:
            with pymongo.timeout(min(FAREWELL, max(remaining(), 0.001))):
                await client.close()

    @hookimpl
    async def ping(self) -> None:
        await self._run(schema.check_version())

    @hookimpl
    async def insert(self, record: Record) -> None:
        await self._run(steps.insert(record))

    @hookimpl
    async def load(self, session_id: UUID) -> Record | None:
        return await self._run(up_to_date(self._source, lambda: steps.load(session_id)))

    @hookimpl
    async def touch(self, session_id: UUID, now: int) -> bool:
        return await self._run(steps.touch(session_id, now))

    @hookimpl
    async def replace_key_hash(self, session_id: UUID, old: str, new: str, pepper_id: str) -> bool:
        return await self._run(steps.replace_key_hash(session_id, old, new, pepper_id))

    @hookimpl
    async def update(self, session_id: UUID, changes: Changes, where: Where) -> Record | None:
        return await self._run(steps.update(session_id, changes, where))

    @hookimpl
    async def delete(self, session_id: UUID, where: Where) -> SessionRef | None:
        return await self._run(steps.delete(session_id, where))

    @hookimpl
    async def find(self, where: Where, after: UUID | None, limit: int) -> list[Record]:
        return await self._run(up_to_date(self._source, lambda: steps.find(where, after, limit)))

    @hookimpl
    async def count(self, where: Where) -> int:
        return await self._run(up_to_date(self._source, lambda: steps.count(where)))

    @hookimpl
    async def update_where(self, where: Where, changes: Changes) -> int:
        return await self._run(after_asking(self._source, steps.update_where(where, changes)))

    @hookimpl
    async def delete_where(self, where: Where, keep: frozenset[UUID]) -> list[SessionRef]:
        return await self._run(after_asking(self._source, steps.delete_where(where, keep)))

    @hookimpl
    async def purge(self, where: Where, limit: int) -> int:
        return await self._run(after_asking(self._source, steps.purge(where, limit)))

    @hookimpl
    async def pepper_counts(self) -> dict[str, int]:
        return await self._run(up_to_date(self._source, steps.pepper_counts))

    @hookimpl
    def bound(self, transaction: Any, ended: Callable[[bool], None]) -> object:  # noqa: ARG002 - its end cannot be seen
        """For an `AsyncClientSession` of an `AsyncMongoClient`, in a transaction there."""
        self._own.collections()
        source = within(
            self._location, self._own.client, transaction, AsyncClientSession, ClientSession
        )
        return AsyncMongoBackend(self._location, source)

    async def _run(self, flow: Flow[T]) -> T:
        session = self._source.session
        is_cancelled = _cancellation()
        try:
            deadline = Deadline()
            with pymongo.timeout(deadline.left):
                collections = self._source.collections()
                step = flow.send(None)
                while True:
                    answer = failure = None
                    try:
                        answer = await _take(step, collections, session, deadline)
                    except FAILURES as error:
                        failure = failure_of(step, error, session)
                    if is_cancelled():
                        # pymongo makes a failure, or even another try, of some cancellations.
                        raise asyncio.CancelledError
                    step = flow.send(answer) if failure is None else flow.throw(failure)
        except StopIteration as done:
            result: T = done.value
            return result


def _cancellation() -> Callable[[], bool]:
    """Tells whether the running task is cancelled from here on."""
    task = asyncio.current_task()
    if task is None:
        return bool
    before = task.cancelling()
    return lambda: task.cancelling() > before


async def _take(
    step: Call | Pause, collections: Collections, session: Any, deadline: Deadline
) -> Any:
    if isinstance(step, Pause):
        is_time = deadline.allows(step.seconds)
        if is_time:
            await asyncio.sleep(step.seconds)
        return is_time
    deadline.check()
    function, options = prepared(step, collections, session)
    answer = function(*step.args, **options)
    if isawaitable(answer):  # all but a find, whose cursor asks when it is read
        answer = await answer
    return await answer.to_list() if step.many else answer
