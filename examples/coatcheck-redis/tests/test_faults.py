"""A server that is gone, frozen, full, demoted, or has forgotten the script."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from asking import NOW, Asking, record
from coatcheck_redis import open_async_backend
from redis_server import RedisServer

from coatcheck import (
    BackendError,
    BackendUnavailable,
    OutcomeUnknown,
    Secret,
    SessionManager,
    Where,
)

DEADLINE = 0.4
LIVE = Where(state=frozenset({"live"}), now=NOW)
READS: dict[str, tuple[Any, ...]] = {
    "ping": (),
    "load": (UUID(int=1),),
    "find": (LIVE, None, 10),
    "count": (LIVE,),
}
WRITES: dict[str, tuple[Any, ...]] = {
    "insert": (record(2),),
    "touch": (UUID(int=1), NOW + 1),
    "replace_key_hash": (UUID(int=1), "$canary-hash$", "$canary-hash$2", "p"),
    "update": (UUID(int=1), {"metadata": '{"a":1}'}, LIVE),
    "delete": (UUID(int=1), LIVE),
    "delete_where": (Where(user_id="ann"), frozenset[UUID]()),
    "purge": (LIVE._replace(state=frozenset({"expired", "inactive"})), 10),
}


@pytest.fixture
def own() -> Iterator[RedisServer]:
    """A server that a test may harm."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def warm(face: str, own: RedisServer) -> Iterator[Asking]:
    """A backend with a connection, and one session."""
    with Asking(face, own.url) as asking:
        asking.ask("insert", record(1))
        yield asking


@pytest.mark.parametrize("hook", READS | WRITES)
def test_with_nobody_there_nothing_has_happened(warm: Asking, own: RedisServer, hook: str) -> None:
    own.kill()
    for _ in range(2):
        with pytest.raises(BackendUnavailable):
            warm.ask(hook, *(READS | WRITES)[hook])


@pytest.mark.parametrize("hook", READS | WRITES)
def test_a_frozen_server_costs_no_more_than_the_deadline(
    warm: Asking, own: RedisServer, hook: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own.tell(signal.SIGSTOP)
    for is_warm in (True, False):  # the second one gets no further than to connect
        monkeypatch.setattr("coatcheck_redis.backend.remaining", countdown(DEADLINE))
        started = time.monotonic()
        lost = OutcomeUnknown if is_warm and hook in WRITES else BackendUnavailable
        with pytest.raises(BackendError) as caught:
            warm.ask(hook, *(READS | WRITES)[hook])
        assert type(caught.value) is lost
        assert DEADLINE * 0.9 < time.monotonic() - started < DEADLINE * 2
    own.tell(signal.SIGCONT)
    monkeypatch.undo()
    for _ in range(20):
        warm.ask("ping")


def countdown(seconds: float) -> Callable[[], float]:
    until = time.monotonic() + seconds
    return lambda: max(0.0, until - time.monotonic())


def test_after_a_restart_every_call_is_answered(warm: Asking, own: RedisServer) -> None:
    for _ in range(3):
        own.kill()
        own.start()  # and has forgotten the script
        for _ in range(20):
            assert warm.ask("load", UUID(int=1)) == record(1)
            assert warm.ask("touch", UUID(int=1), NOW)


def test_a_server_without_the_script_is_given_it(store: Asking, server: RedisServer) -> None:
    store.ask("insert", record(1))
    with server.client() as client:
        client.script_flush()
    assert store.ask("delete", UUID(int=1), Where()) is not None


def test_a_full_server_refuses_and_still_revokes(warm: Asking, own: RedisServer) -> None:
    with own.client() as client:
        client.config_set("maxmemory", "1")
    for hook in ("insert", "touch", "update"):
        with pytest.raises(BackendUnavailable):
            warm.ask(hook, *WRITES[hook])
    assert warm.ask("load", UUID(int=1)) == record(1)
    assert warm.ask("delete", UUID(int=1), Where()) is not None


def test_a_server_that_became_a_replica_takes_no_writes(warm: Asking, own: RedisServer) -> None:
    with own.client() as client:
        client.execute_command("REPLICAOF", "127.0.0.1", "1")
        for hook, args in WRITES.items():
            if hook != "purge":  # with nothing to remove, nothing to refuse
                with pytest.raises(BackendUnavailable):
                    warm.ask(hook, *args)
        client.execute_command("REPLICAOF", "NO", "ONE")


def test_a_row_that_cannot_be_read_is_named_and_can_be_revoked(
    store: Asking, server: RedisServer
) -> None:
    damages: list[Callable[[Any, str], object]] = [
        lambda client, key: client.hset(key, "last_used_at", "soon"),
        lambda client, key: client.hset(key, "last_used_at", ""),
        lambda client, key: client.hset(key, "expires_at", "1_0"),
        lambda client, key: client.hset(key, "user_id", b"\xff\xfe"),
        lambda client, key: client.hset(key, "scopes", "read"),
        lambda client, key: client.hdel(key, "method"),
        lambda client, key: (client.delete(key), client.set(key, "not a hash")),
    ]
    with server.client() as client:
        for number, damage in enumerate(damages, 1):
            store.ask("insert", record(number))
            damage(client, f"{{coatcheck}}:session:{UUID(int=number).hex}")
            for hook, args in (("load", (UUID(int=number),)), ("find", (Where(), None, 10))):
                with pytest.raises(BackendError, match=str(UUID(int=number))) as caught:
                    store.ask(hook, *args)
                assert caught.value.__context__ is None
            assert store.ask("delete", UUID(int=number), Where()).id == UUID(int=number)
            assert store.ask("delete", UUID(int=number), Where()) is None


def test_whoever_waits_for_a_connection_waits_as_long_as_the_call_may(
    face: str, server: RedisServer
) -> None:
    url = f"{server.url}?max_connections=1"
    with Asking(face, url) as asking:
        asking.ask("insert", record(1))
        if face == "async":

            async def many() -> list[Any]:
                load = asking.backend.load
                return await asyncio.gather(*(load(UUID(int=1)) for _ in range(20)))

            answers = asking.runner.run(many())
        else:
            answers = []
            threads = [
                threading.Thread(target=lambda: answers.append(asking.ask("load", UUID(int=1))))
                for _ in range(20)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert answers == [record(1)] * 20
    with server.client() as client:
        assert len(client.client_list()) == 1


def test_a_cancelled_call_leaves_the_pool_whole(server: RedisServer) -> None:
    async def scenario() -> None:
        backend: Any = open_async_backend(Secret(f"{server.url}?max_connections=3"))
        await backend.prepare(True)
        await backend.insert(record(1))
        for pauses in range(40):
            calls = [asyncio.create_task(backend.load(UUID(int=1))) for _ in range(6)]
            for _ in range(pauses):
                await asyncio.sleep(0)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            answers = await asyncio.gather(*(backend.load(UUID(int=1)) for _ in range(6)))
            assert answers == [record(1)] * 6
        await backend.close()

    asyncio.run(scenario())


def test_a_forked_worker_has_connections_of_its_own(server: RedisServer) -> None:
    pepper = "a long phrase that only this test uses"
    with SessionManager.open(server.url, pepper=pepper) as sessions:
        tokens = [sessions.issue(f"user-{n}", method="password").token for n in range(8)]
        children = list[int]()
        for own in range(4):
            child = os.fork()
            if child == 0:
                mine = {sessions.validate(tokens[own]).user_id for _ in range(200)}  # type: ignore[union-attr]
                os._exit(0 if mine == {f"user-{own}"} else 1)
            children.append(child)
        for _ in range(200):
            assert sessions.validate(tokens[7]).user_id == "user-7"  # type: ignore[union-attr]
        assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4


def test_an_asynchronous_backend_in_a_forked_worker(server: RedisServer) -> None:
    with Asking("async", server.url) as asking:
        asking.ask("insert", record(1))
        child = os.fork()
        if child == 0:
            with asyncio.Runner() as runner:
                same = runner.run(asking.backend.load(UUID(int=1))) == record(1)
            os._exit(0 if same else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert asking.ask("load", UUID(int=1)) == record(1)
