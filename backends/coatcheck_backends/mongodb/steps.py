"""Each hook, written once for both faces: a generator of calls to the driver.

A face runs it: it makes each call, sends its answer in, and throws in what it failed with,
as an error of ours (`errors.py`), `Undecodable` or `Passing`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from itertools import islice
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar
from uuid import UUID

from coatcheck import (
    BackendError,
    BackendUnavailable,
    Changes,
    OutcomeUnknown,
    Record,
    SessionRef,
    Where,
)

from . import documents, operations
from .clients import Collections
from .documents import Document
from .errors import Passing, Undecodable, thrown

T = TypeVar("T")

CHUNK: Final = 1000
"""Ids in one command."""


class Call(NamedTuple):
    """A method of one of the collections that `clients.Collections` names."""

    on: str
    method: str
    args: tuple[Any, ...]
    options: Mapping[str, Any] = MappingProxyType({})
    writing: bool = False
    many: bool = False
    """It gives a cursor, and the answer is all that this gives."""
    repeated: bool = False
    """The driver does not repeat it after a failover, so `Passing` is thrown in."""


class Pause(NamedTuple):
    """Wait a moment. Gives whether there is time for another call."""

    seconds: float = 0.02


Flow: TypeAlias = Generator[Call | Pause, Any, T]


def prepared(
    call: Call, collections: Collections, session: Any
) -> tuple[Callable[..., Any], Mapping[str, Any]]:
    """The driver's method, and its options with the session of the transaction, if any."""
    options = call.options if session is None else {**call.options, "session": session}
    return getattr(getattr(collections, call.on), call.method), options


def failure_of(step: Call | Pause, error: Exception, session: Any) -> Exception:
    """What to throw in for an error of the driver. To be thrown outside of the `except` block."""
    call = step if isinstance(step, Call) else _ASKING
    return thrown(
        error,
        writing=call.writing,
        repeatable=call.repeated,
        in_transaction=session is not None,
    )


_ASKING: Final = Call("", "", ())


def insert(record: Record) -> Flow[None]:
    yield Call("sessions", "insert_one", (documents.document_of(record),), writing=True)


def load(session_id: UUID) -> Flow[Record | None]:
    # The driver does not repeat a plain command in all of its versions.
    call = Call("loading", "one", (operations.one(session_id),), repeated=True)
    try:
        answer, _ = yield from _repeated(call)
    except Undecodable:
        pass
    else:
        found = answer["cursor"]["firstBatch"]
        return documents.record_of(found[0]) if found else None
    return (yield from _load_leniently(session_id))


def touch(session_id: UUID, now: int) -> Flow[bool]:
    args = (operations.one_live(session_id, now), operations.use(now))
    result = yield Call("sessions", "update_one", args, writing=True)
    return bool(result.matched_count)


def replace_key_hash(session_id: UUID, old: str, new: str, pepper_id: str) -> Flow[bool]:
    args = (operations.one_with_hash(session_id, old), operations.rehash(new, pepper_id))
    result = yield Call("sessions", "update_one", args, writing=True)
    return bool(result.matched_count)


def update(session_id: UUID, changes: Changes, where: Where) -> Flow[Record | None]:
    args = (operations.one_matching(session_id, where), operations.change(changes))
    options = {"return_document": True}  # as it is afterwards
    try:
        found = yield Call("sessions", "find_one_and_update", args, options, writing=True)
    except Undecodable:
        pass
    else:
        return None if found is None else documents.record_of(found)
    return (yield from _load_leniently(session_id))


def delete(session_id: UUID, where: Where) -> Flow[SessionRef | None]:
    args = (operations.one_matching(session_id, where), _REFERENCE)
    found = yield Call("lenient", "find_one_and_delete", args, writing=True)
    return None if found is None else documents.reference_of(found)


def find(where: Where, after: UUID | None, limit: int) -> Flow[list[Record]]:
    args = (operations.page(where, after),)
    hint = operations.index_of(where) or operations.BY_ID
    options = {"sort": {"_id": 1}, "limit": limit, "batch_size": limit, "hint": hint}
    try:
        found = yield Call("sessions", "find", args, options, many=True)
    except Undecodable:
        pass
    else:
        return [documents.record_of(document) for document in found]
    found = yield Call("lenient", "find", args, options, many=True)
    return [documents.record_of_lenient(document) for document in found]


def count(where: Where) -> Flow[int]:
    args = (operations.matching(where, by_index=True),)
    return int((yield Call("sessions", "count_documents", args, _hinted(where))))


def update_where(where: Where, changes: Changes) -> Flow[int]:
    args = (operations.matching(where, by_index=True), operations.change(changes))
    call = Call("sessions", "update_many", args, _hinted(where), writing=True, repeated=True)
    # A second round changes nothing more, and counts the same ones if they match once more.
    result, _ = yield from _repeated(call, exact=operations.keeps_matching(where, changes))
    return int(result.matched_count)


def delete_where(where: Where, keep: frozenset[UUID]) -> Flow[list[SessionRef]]:
    args, options = (operations.sparing(where, keep), _REFERENCE), _hinted(where)
    found = yield Call("lenient", "find", args, options, many=True)
    gone: list[SessionRef] = []
    try:
        for chunk in _chunks(found):
            gone += yield from _chunk_deleted(chunk, where)
    except BackendUnavailable as error:
        failure: BackendError = error
    else:
        return gone
    raise _half_done() if gone else failure


def purge(where: Where, limit: int) -> Flow[int]:
    args = (operations.matching(where, by_index=True), {"_id": 1})
    while True:
        found = yield Call("lenient", "find", args, {"limit": limit, **_hinted(where)}, many=True)
        if not found:
            return 0
        ids = [document["_id"] for document in found]
        deleted, is_exact = yield from _deleted(ids, where)
        if not is_exact:
            deleted = len(ids) - len((yield from _left(ids)))
        if deleted:
            return deleted
        # Another purge was faster, or all of them were used since.


def pepper_counts() -> Flow[dict[str, int]]:
    grouped = [
        {"$sort": {"pepper_id": 1}},
        {"$group": {"_id": "$pepper_id", "number": {"$sum": 1}}},
    ]
    options = {"hint": operations.BY_PEPPER}
    found = yield Call("lenient", "aggregate", (grouped,), options, many=True)
    counts: dict[str, int] = {}
    for group in found:
        pepper_id = documents.text_of(group["_id"])
        counts[pepper_id] = counts.get(pepper_id, 0) + int(group["number"])
    return counts


_REFERENCE: Final[Document] = {"user_id": 1, "method": 1}


def _load_leniently(session_id: UUID) -> Flow[Record | None]:
    """The slow way, which finds the field whose text is not UTF-8."""
    try:
        found = yield Call("lenient", "find_one", (operations.one(session_id),))
    except Undecodable:
        found = {"_id": session_id, **dict.fromkeys(documents.FIELDS)}
    return None if found is None else documents.record_of_lenient(found)


def _hinted(where: Where) -> dict[str, Any]:
    index = operations.index_of(where)
    return {} if index is None else {"hint": index}


def _chunk_deleted(chunk: list[Document], where: Where) -> Flow[list[SessionRef]]:
    ids = [document["_id"] for document in chunk]
    deleted, _ = yield from _deleted(ids, where)
    # One that stopped matching since is still there; one that is gone may be named twice.
    left = set[Any]() if deleted == len(ids) else (yield from _left(ids))
    # One whose id is no id went as well, but there is no way to name it.
    return [
        documents.reference_of(document)
        for document in chunk
        if type(document["_id"]) is UUID and document["_id"] not in left
    ]


def _deleted(ids: list[Any], where: Where) -> Flow[tuple[int, bool]]:
    """Delete those of these that still match: how many, and whether that is exact."""
    args, options = (operations.among(ids, where),), {"hint": operations.BY_ID}
    call = Call("sessions", "delete_many", args, options, writing=True, repeated=True)
    result, is_exact = yield from _repeated(call)
    return int(result.deleted_count), is_exact


def _left(ids: list[Any]) -> Flow[set[Any]]:
    """Those that are still there after a delete."""
    args = ({"_id": {"$in": ids}}, {"_id": 1})
    try:
        found = yield Call("lenient", "find", args, many=True)
    except BackendUnavailable:
        pass
    else:
        return {document["_id"] for document in found}
    raise _half_done()


def _half_done() -> OutcomeUnknown:
    return OutcomeUnknown("mongodb: some of the sessions may be deleted, and others not")


def _repeated(call: Call, *, exact: bool = True) -> Flow[tuple[Any, bool]]:
    """A call that does no more harm a second time, until it is answered: the answer, and
    whether it was the only one.

    :param exact: an answer after one that was lost says all the same what was done.
    """
    lost: OutcomeUnknown | None = None
    while True:
        passing = False
        try:
            return (yield call), lost is None
        except Passing as interruption:
            failure, passing = interruption.failure, True
        except BackendUnavailable as error:
            failure = error
        if isinstance(failure, OutcomeUnknown):
            lost = failure
        if not passing or (lost and not exact) or not (yield Pause()):
            raise lost or failure


def _chunks(found: Iterable[Document]) -> Iterator[list[Document]]:
    documents_left = iter(found)
    while chunk := list(islice(documents_left, CHUNK)):
        yield chunk
