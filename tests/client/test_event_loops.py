"""On an event loop: no store is asked there, and a call that is cancelled loses nothing."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import anyio
import httpx2
import pytest

from children import in_child
from coatcheck import Secret
from coatcheck.client import MemoryTokenStore, SessionAuth
from web_origins import Face, WebOrigin


class SlowStore:
    """Notes on which threads it is asked, and may wait before it answers that it forgot."""

    def __init__(self) -> None:
        self.store = MemoryTokenStore()
        self.threads: set[int] = set()
        self.forgetting = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def load(self) -> Secret[str] | None:
        self.threads.add(threading.get_ident())
        return self.store.load()

    def save(self, token: Secret[str]) -> None:
        self.threads.add(threading.get_ident())
        self.store.save(token)

    def forget(self, token: Secret[str]) -> bool:
        self.threads.add(threading.get_ident())
        gone = self.store.forget(token)
        self.forgetting.set()
        assert self.go_on.wait(30)
        return gone


@pytest.fixture
def store() -> SlowStore:
    return SlowStore()


def test_no_store_is_asked_on_the_event_loop(face: Face, home: WebOrigin, store: SlowStore) -> None:
    auth = SessionAuth(home.url, store)
    face.sign_in(auth, "cck_a")
    assert face.signed_in(auth)
    client = face.client(auth)
    client.get(home.url)
    face.sign_out(auth)
    if face.kind == "sync":
        assert store.threads == {threading.get_ident()}
        return

    async def here() -> int:
        return threading.get_ident()

    assert face.run(here) not in store.threads
    assert threading.get_ident() not in store.threads


@pytest.mark.parametrize("face", ["asyncio", "trio"], indirect=True)
def test_a_sign_out_that_a_cancelled_request_found_is_told_once(
    face: Face, home: WebOrigin, store: SlowStore
) -> None:
    told: list[str] = []
    auth = SessionAuth(home.url, store, lambda: told.append("signed out"))
    auth.sign_in("cck_a")
    client = face.client(auth)
    store.go_on.clear()

    async def cancelled_in_its_scope() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(client.asynchronous.get, home.url)
            assert await anyio.to_thread.run_sync(store.forgetting.wait, 30)
            group.cancel_scope.cancel()
            store.go_on.set()

    face.run(cancelled_in_its_scope)
    assert not auth.signed_in()
    assert client.get(home.url).status_code == 401
    assert told == ["signed out"]


@pytest.mark.parametrize("face", ["asyncio"], indirect=True)
def test_what_a_task_that_was_killed_could_not_tell_the_next_request_tells(
    face: Face, home: WebOrigin, store: SlowStore
) -> None:
    told: list[str] = []
    auth = SessionAuth(home.url, store, lambda: told.append("signed out"))
    auth.sign_in("cck_a")
    client = face.client(auth)
    store.go_on.clear()

    async def killed() -> None:
        task = asyncio.ensure_future(client.asynchronous.get(home.url))
        assert await anyio.to_thread.run_sync(store.forgetting.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        store.go_on.set()

    face.run(killed)
    assert (auth.signed_in(), told) == (False, [])
    assert client.get(home.url).status_code == 401
    assert client.get(home.url).status_code == 401
    assert told == ["signed out"]


def test_one_auth_serves_clients_of_both_kinds(face: Face, home: WebOrigin) -> None:
    told: list[str] = []
    auth = SessionAuth(home.url, on_signed_out=lambda: told.append("signed out"))
    face.sign_in(auth, "cck_a")
    client = face.client(auth)
    with httpx2.Client(auth=auth, trust_env=False) as other:
        assert other.get(home.url).status_code == 401
    assert client.get(home.url).status_code == 401
    assert told == ["signed out"]
    assert home.tokens() == ["cck_a", None]


def test_a_slow_store_does_not_hold_up_the_loop(home: WebOrigin, store: SlowStore) -> None:
    """Even while a thread holds the lock of the token's bookkeeping."""

    async def both() -> None:
        auth = SessionAuth(home.url, store)
        await auth.sign_in_async("cck_a")
        store.go_on.clear()
        async with anyio.create_task_group() as group:
            group.start_soon(auth.sign_out_async)
            group.start_soon(auth.signed_in_async)
            assert await anyio.to_thread.run_sync(store.forgetting.wait, 30)
            # Both wait for the store, and this task goes on.
            store.go_on.set()

    anyio.run(both)


def test_a_fork_under_the_locks_leaves_the_child_free(home: WebOrigin, store: SlowStore) -> None:
    auth = SessionAuth(home.url, store)
    auth.sign_in("cck_a")
    store.go_on.clear()
    thread = threading.Thread(target=auth.sign_out)
    thread.start()
    assert store.forgetting.wait(30)
    found: Any = in_child(auth.signed_in)
    store.go_on.set()
    thread.join()
    assert found is False
