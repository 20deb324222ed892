"""What a server's own failures become: one of our errors, true to what happened, without values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from coatcheck import (
    BackendError,
    BackendUnavailable,
    CoatcheckError,
    DuplicateSession,
    OutcomeUnknown,
    Record,
    Where,
)
from mongodb_places import FACES, Place
from servers import MongoServer
from shared_servers import mongodb_database
from sqlite_files import failing

CANARY = "$hmac-sha256$v=1$keyid=0123456789abcdef$canarycanary$" + "c" * 43


@pytest.fixture(scope="module")
def server() -> Iterator[MongoServer]:
    """One that fails when it is told to."""
    with MongoServer({"enableTestCommands": 1}) as server:
        yield server


@pytest.fixture(scope="module", params=FACES)
def faced(request: pytest.FixtureRequest, server: MongoServer) -> Iterator[tuple[Place, Any]]:
    with mongodb_database(server.url) as url:
        place = Place(url)
        yield place, place.backend(request.param)
        place.close()


@pytest.fixture
def odd(faced: tuple[Place, Any]) -> Iterator[tuple[Place, Any]]:
    place, backend = faced
    place.raw.delete_many({})
    yield place, backend
    place.client.admin.command("configureFailPoint", "failCommand", mode="off")


def record(user: str = "ann", **fields: Any) -> Record:
    made = Record(
        uuid4(), user, "password", frozenset({"read"}), "{}", 1, 1, None, None, CANARY, "p"
    )
    return made._replace(**fields)


def hooks(backend: Any, known: Record) -> dict[str, tuple[str, Callable[[], object]]]:
    """Every hook: the command that it sends first, or last if that is what changes something."""
    where, keep = Where(user_id="ann"), frozenset[UUID]()
    return {
        "ping": ("find", backend.ping),
        "insert": ("insert", lambda: backend.insert(record())),
        "load": ("find", lambda: backend.load(known.id)),
        "touch": ("update", lambda: backend.touch(known.id, 5)),
        "replace_key_hash": (
            "update",
            lambda: backend.replace_key_hash(known.id, CANARY, CANARY, "q"),
        ),
        "update": ("findAndModify", lambda: backend.update(known.id, {"metadata": "{1}"}, where)),
        "find": ("find", lambda: backend.find(where, None, 10)),
        "count": ("aggregate", lambda: backend.count(where)),
        "pepper_counts": ("aggregate", backend.pepper_counts),
        "update_where": ("update", lambda: backend.update_where(where, {"metadata": "{2}"})),
        "delete": ("findAndModify", lambda: backend.delete(known.id, where)),
        "delete_where": ("delete", lambda: backend.delete_where(where, keep)),
        "purge": ("delete", lambda: backend.purge(Where(user_id="ann"), 10)),
    }


READS = {"ping", "load", "find", "count", "pepper_counts"}
REPEATED = {"update_where", "delete_where", "purge"}
WRITES = ("insert", "touch", "replace_key_hash", "update", "delete")
HOOKS = (*sorted(READS), *WRITES, *sorted(REPEATED))


def shows_nothing(error: BaseException | None) -> None:
    while error is not None:
        shown = f"{error!r} {error} {getattr(error, 'details', '')} {vars(error)}"
        assert "canary" not in shown
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("hook", HOOKS)
def test_a_connection_that_is_cut_once_costs_no_reader_and_no_bulk_call_anything(
    odd: tuple[Place, Any], hook: str
) -> None:
    place, backend = odd
    known = record()
    backend.insert(known)
    command, call = hooks(backend, known)[hook]
    place.fail([command], closeConnection=True)
    if hook in READS | REPEATED:
        assert call() in (None, known, [known], 1, {"p": 1}, [(known.id, "ann", "password")])
    else:
        # One server by itself knows no retryable writes, and nobody knows what happened.
        with pytest.raises(OutcomeUnknown) as raised:
            call()
        shows_nothing(raised.value)
        call()


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (13, BackendUnavailable),  # Unauthorized
        (18, BackendUnavailable),  # AuthenticationFailed
        (24, BackendUnavailable),  # LockTimeout
        (50, None),  # MaxTimeMSExpired
        (1, BackendError),  # InternalError
        (2, BackendError),  # BadValue
        (121, BackendError),  # DocumentValidationFailure
        (14031, BackendError),  # OutOfDiskSpace
    ],
)
def test_a_code_of_the_server_becomes_an_error_of_ours(
    odd: tuple[Place, Any], hook: str, code: int, kind: type[BackendError] | None
) -> None:
    place, backend = odd
    known = record()
    backend.insert(known)
    command, call = hooks(backend, known)[hook]
    place.fail([command], errorCode=code)
    expected = kind or (BackendUnavailable if hook in READS else OutcomeUnknown)
    with pytest.raises(CoatcheckError) as raised:
        call()
    assert type(raised.value) is expected
    shows_nothing(raised.value)
    assert place.raw.find_one({"_id": known.id})["last_used_at"] == 1
    call()


@pytest.mark.parametrize("hook", [*sorted(REPEATED), "load", "find", "count"])
@pytest.mark.parametrize("code", [6, 89, 9001, 262])
def test_a_server_that_may_do_better_in_a_moment_is_asked_again(
    odd: tuple[Place, Any], hook: str, code: int
) -> None:
    place, backend = odd
    known = record()
    backend.insert(known)
    command, call = hooks(backend, known)[hook]
    place.fail([command], errorCode=code)
    assert call() in (known, [known], 1, [(known.id, "ann", "password")])


def test_a_second_session_of_one_id_is_said_without_what_it_holds(odd: tuple[Place, Any]) -> None:
    _, backend = odd
    known = record()
    backend.insert(known)
    with pytest.raises(DuplicateSession) as raised:
        backend.insert(known._replace(user_id="bob"))
    assert raised.value.__cause__ is raised.value.__context__ is None
    assert backend.load(known.id) == known


def test_an_index_of_somebody_elses_quotes_no_hash(odd: tuple[Place, Any]) -> None:
    place, backend = odd
    place.raw.create_index("key_hash", unique=True, name="theirs")
    try:
        backend.insert(record())
        with pytest.raises(BackendError) as raised:
            backend.insert(record())
        assert not isinstance(raised.value, DuplicateSession)
        shows_nothing(raised.value)
    finally:
        place.raw.drop_index("theirs")


def test_a_validator_of_somebody_elses_quotes_no_document(odd: tuple[Place, Any]) -> None:
    place, backend = odd
    known = record()
    backend.insert(known)
    place.database.command("collMod", "coatcheck_session", validator={"user_id": "nobody"})
    try:
        for call in (
            lambda: backend.insert(record()),
            lambda: backend.touch(known.id, 5),
            lambda: backend.update(known.id, {"metadata": "[]"}, Where()),
            lambda: backend.update_where(Where(), {"metadata": "[]"}),
        ):
            with pytest.raises(BackendError) as raised:
                call()
            assert type(raised.value) is BackendError
            shows_nothing(raised.value)
    finally:
        place.database.command("collMod", "coatcheck_session", validator={})


def test_a_write_that_was_not_confirmed_in_time_is_unknown(odd: tuple[Place, Any]) -> None:
    place, backend = odd
    known = record()
    backend.insert(known)
    unconfirmed = {"code": 64, "errmsg": "waiting for replication timed out"}
    for hook in WRITES:
        command, call = hooks(backend, known)[hook]
        place.fail([command], writeConcernError=unconfirmed)
        with pytest.raises(OutcomeUnknown) as raised:
            call()
        shows_nothing(raised.value)


def test_bulk_calls_count_and_name_each_session_once_though_an_answer_was_lost(
    odd: tuple[Place, Any],
) -> None:
    place, backend = odd
    known = [record() for _ in range(25)]
    for each in known:
        backend.insert(each)
    backend.insert(record("bob"))
    place.fail(["update"], closeConnection=True)
    assert backend.update_where(Where(user_id="ann"), {"scopes": frozenset({"x"})}) == 25
    place.fail(["delete"], closeConnection=True)
    assert backend.purge(Where(user_id="ann"), 10) == 10
    place.fail(["delete"], closeConnection=True)
    assert len(backend.delete_where(Where(user_id="ann"), frozenset[UUID]())) == 15
    assert [left.user_id for left in backend.find(Where(), None, 10)] == ["bob"]


def test_a_count_that_could_be_wrong_is_not_given(odd: tuple[Place, Any]) -> None:
    place, backend = odd
    backend.insert(record())
    place.fail(["update"], closeConnection=True)
    live = Where(user_id="ann", state=frozenset({"live"}), now=5)
    with pytest.raises(OutcomeUnknown):
        backend.update_where(live, {"expires_at": 3})


def test_what_stays_down_is_unavailable_to_readers_within_the_deadline(
    odd: tuple[Place, Any], face: str
) -> None:
    place, _ = odd
    sessions = place.open(face, deadline=timedelta(seconds=0.5))
    place.fail(["find", "delete"], times=10_000, closeConnection=True)
    with failing(BackendUnavailable, timedelta(seconds=0.5)) as raised:
        sessions.find(user_id="ann")
    shows_nothing(raised.value)
