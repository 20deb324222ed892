"""Connections: shared by threads and tasks, used up, cut, and whole after a cancellation."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from coatcheck import (
    AsyncSessionManager,
    BackendError,
    BackendUnavailable,
    OutcomeUnknown,
)
from postgresql_places import Place
from proxies import proxy_to
from shared_servers import with_options
from sqlite_files import failing, reads_of, twenty_operations, within, writes_of
from threads_at_once import all_at_once, until

HASTY = timedelta(seconds=0.4)


class Taken:
    """All connections of a pool in somebody's hands."""

    def __init__(self, place: Place, face: str, backend: Any, size: int) -> None:
        self._store = getattr(backend, "backend", backend)._store
        self._run: Callable[[Any], Any] = (
            (lambda link: link) if face == "psycopg" else place.runner.run
        )
        self._links = [self._run(self._store.take()) for _ in range(size)]

    def give_back(self) -> None:
        for link in self._links:
            self._store._pool.give_back(link)


def test_a_pool_that_is_used_up_is_unavailable_at_the_deadline_and_names_its_option(
    place: Place, face: str
) -> None:
    backend = place.backend(face, pool_size="2")
    sessions = place.over(backend, face, deadline=HASTY)
    issued = sessions.issue("ann", method="password")
    taken = Taken(place, face, backend, 2)
    calls = {**reads_of(sessions, issued.session.id, issued.token),
             "revoke": lambda: sessions.revoke(issued.session.id)}  # fmt: skip
    for name in ("validate", "ping", "revoke"):
        with failing(BackendUnavailable, HASTY) as raised:
            calls[name]()
        assert type(raised.value) is BackendUnavailable
        assert "pool_size" in str(raised.value)
    taken.give_back()
    assert sessions.validate(issued.token)
    twenty_operations(sessions)
    assert len(place.connections_of_ours()) == 2


def test_who_waits_for_a_connection_gets_the_first_that_is_free(place: Place, face: str) -> None:
    backend = place.backend(face, pool_size="1")
    sessions = place.over(backend, face)
    issued = sessions.issue("ann", method="password")
    taken = Taken(place, face, backend, 1)
    if face == "psycopg":
        threading.Timer(0.05, taken.give_back).start()
    else:
        place.runner.get_loop().call_later(0.05, taken.give_back)
    with within(1):
        assert sessions.validate(issued.token)


COUNTS = range(1, 41)


@pytest.mark.parametrize("call", ["issue", "validate", "update"])
def test_a_call_that_is_cancelled_is_done_or_not_and_leaves_the_pool_whole(
    place: Place, async_face: str, call: str
) -> None:
    """Cancelled after so many turns of the loop, for each number of them."""
    finished: list[bool] = []

    async def cancelled_after(sessions: AsyncSessionManager, turns: int) -> None:
        issued = await sessions.issue("ann", method="password", scopes={"old"})
        calls: dict[str, Callable[[], Any]] = {
            "issue": lambda: sessions.issue(f"user {turns}", method="password"),
            "validate": lambda: sessions.validate(issued.token),
            "update": lambda: sessions.update(issued.session.id, scopes={"new"}),
        }
        task = asyncio.ensure_future(calls[call]())
        for _ in range(turns):
            await asyncio.sleep(0.0001 if turns > 10 else 0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        finished.append(not task.cancelled())
        # With one connection, nothing works if that one is lost.
        session = await sessions.validate(issued.token)
        assert session
        assert session.scopes in ({"old"}, {"new"})
        if finished[-1] and call == "update":
            assert session.scopes == {"new"}
        assert await sessions.count(user_id=f"user {turns}") <= 1
        await sessions.revoke(issued.session.id)

    async def scenario() -> None:
        async with place.manager(async_face, {"pool_size": "1"}) as sessions:
            for turns in COUNTS:
                await cancelled_after(sessions, turns)

    asyncio.run(scenario())
    assert not finished[0], "the first is cancelled before it is done"


def test_who_waits_for_a_connection_can_be_cancelled(place: Place, async_face: str) -> None:
    backend = place.backend(async_face, pool_size="1")
    sessions = place.over(backend, async_face)
    taken = Taken(place, async_face, backend, 1)

    async def scenario() -> None:
        waiting = [asyncio.ensure_future(sessions.manager.ping()) for _ in range(4)]
        await asyncio.sleep(0.02)
        waiting[0].cancel()
        waiting[2].cancel()
        await asyncio.sleep(0)
        taken.give_back()
        # Given to one who is cancelled in the same turn, it goes on to the next.
        waiting[1].cancel()
        await asyncio.wait(waiting, timeout=2)
        assert [task.cancelled() for task in waiting[:3]] == [True] * 3
        assert waiting[3].exception() is None

    place.runner.run(scenario())
    twenty_operations(sessions)


def test_idle_connections_that_were_cut_cost_nobody_an_error(place: Place, face: str) -> None:
    sessions = place.open(face)
    issued = sessions.issue("ann", method="password")
    session_id = issued.session.id
    calls = {**reads_of(sessions, session_id, issued.token), **writes_of(sessions, session_id)}
    for name, call in calls.items():
        assert place.cut_all() >= 1, name
        if face != "psycopg":
            place.runner.run(asyncio.sleep(0.01))  # a loop at work hears of it
        call()
    twenty_operations(sessions)


def test_many_idle_connections_that_were_cut_cost_nobody_an_error(place: Place) -> None:
    sessions = place.open("psycopg", {"pool_size": "8"})
    tokens = [sessions.issue(f"user {n}", method="password").token for n in range(8)]
    all_at_once(lambda n: [sessions.validate(tokens[n]) for _ in range(20)], 8)
    assert place.cut_all() >= 1
    assert all(all_at_once(lambda n: bool(sessions.validate(tokens[n])), 8))


def test_an_idle_connection_is_not_trusted_for_longer_than_was_said(
    place: Place, face: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from coatcheck_backends.postgresql import async_asyncpg, async_psycopg, links

    now = [1000.0]
    for module in (links, async_psycopg, async_asyncpg):
        monkeypatch.setattr(module, "monotonic", lambda: now[0])
    sessions = place.open(face, {"pool_idle": "5"})
    sessions.ping()
    first = place.connections_of_ours()
    for span, again in ((4.0, True), (4.0, True), (6.0, False)):
        now[0] += span
        sessions.ping()
        assert (place.connections_of_ours() == first) is again


def test_a_read_whose_connection_is_cut_is_repeated_and_a_write_is_unknown(
    place: Place, face: str
) -> None:
    with proxy_to(place.database) as proxy:
        direct = place.open()
        place.url = with_options(proxy.url, schema=place.schema, sslmode="disable")
        sessions = place.open(face)
        issued = sessions.issue("ann", method="password")
        assert sessions.validate(issued.token)

        def cut() -> None:
            proxy.is_mute = False
            proxy.cut()

        proxy.is_mute = True
        threading.Timer(0.1, cut).start()
        assert sessions.validate(issued.token), "on a fresh connection"
        sessions.update(issued.session.id, scopes={"warm"})
        proxy.is_mute = True
        threading.Timer(0.1, cut).start()
        with pytest.raises(OutcomeUnknown) as raised:
            sessions.update(issued.session.id, scopes={"new"})
        assert "lost" in str(raised.value)
        assert direct.get(issued.session.id).scopes in ({"new"}, {"warm"})
        twenty_operations(sessions)


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # of asyncio, by asyncpg
def test_a_new_event_loop_is_fine_once_the_old_one_is_closed(place: Place, async_face: str) -> None:
    sessions = place.manager(async_face)
    tokens: list[str] = []

    async def work(n: int) -> None:
        if n == 0:
            await sessions.start()
        issued = await sessions.issue(f"user {n}", method="password")
        tokens.append(issued.token)
        assert all([await sessions.validate(token) for token in tokens])

    for n in range(3):
        asyncio.run(work(n))
    asyncio.run(sessions.close())
    until(lambda: place.connections_of_ours() == [])
    gc.collect()  # so that asyncio warns in here


def test_two_event_loops_at_once_need_two_managers(place: Place, async_face: str) -> None:
    sessions = place.open(async_face)
    sessions.ping()
    with (
        asyncio.Runner() as other,
        pytest.raises(BackendError, match="event loop"),
    ):
        other.run(sessions.manager.ping())
    sessions.ping()


def test_a_server_whose_connections_are_used_up_is_unavailable(own_place: Place, face: str) -> None:
    sessions = own_place.open(face)
    issued = sessions.issue("ann", method="password")
    own_place.new_role()
    own_place.sql(f"GRANT USAGE ON SCHEMA {own_place.schema} TO role_of_{own_place.schema}")
    taken: list[Any] = []
    try:
        _use_up(own_place.url.partition("?")[0], taken)
        with failing(BackendUnavailable, timedelta(seconds=1)) as raised:
            own_place.open(face, prepare=False, deadline=timedelta(seconds=1))
        # libpq does not say why it was refused.
        assert ("max_connections" if face == "asyncpg" else "refused") in str(raised.value)
        assert sessions.validate(issued.token), "who has a connection goes on"
    finally:
        for connection in taken:
            connection.close()
    twenty_operations(sessions)


def _use_up(url: str, taken: list[Any]) -> None:
    with suppress(psycopg.OperationalError):
        taken.extend(psycopg.connect(url) for _ in range(100))
    assert len(taken) < 100
