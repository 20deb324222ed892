"""What mutation testing found that no other test held: the memory backend by itself."""

from __future__ import annotations

import threading
from typing import Any
from uuid import UUID

import pytest

from children import in_child
from coatcheck import (
    ConfigError,
    DuplicateSession,
    Record,
    Secret,
    SessionManager,
    SessionRef,
    Where,
    WouldBlock,
)
from coatcheck_backends import memory
from coatcheck_backends.memory import MemoryBackend

PEPPER = "a pepper for tests of thirty-two bytes and more"
ID = UUID(int=5)


def record(number: int, **fields: Any) -> Record:
    whole = Record(UUID(int=number), "u", "m", frozenset(), "{}", 0, 0, None, None, "hash", "p")
    return whole._replace(**fields)


def backend_with(*records: Record) -> MemoryBackend:
    backend = MemoryBackend()
    for each in records:
        backend.insert(each)
    return backend


@pytest.mark.parametrize("url", ["memory:", "memory://"])
def test_the_url_opens_an_empty_store_each_time(url: str) -> None:
    for _ in range(2):
        with SessionManager.open(url, pepper=PEPPER) as sessions:
            assert sessions.count() == 0
            sessions.issue("user", method="m")


@pytest.mark.parametrize("url", ["memory:x", "memory:///x", "memory:?x=1"])
def test_a_path_or_an_option_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="without a path and without options"):
        memory.open_backend(Secret(url))


def test_what_it_says_of_itself() -> None:
    info = MemoryBackend().info()
    assert info.name == "memory"
    assert info.spec_version == 1
    assert set(info.capabilities) == {"scan", "linearizable"}
    assert info.asynchronous is False


@pytest.mark.parametrize("old", ["", "has", "hash ", "i", "Hash"])
def test_a_hash_is_replaced_only_where_it_is_still_the_old_one(old: str) -> None:
    backend = backend_with(record(5))
    assert backend.replace_key_hash(ID, old, "new", "q") is False
    assert backend.replace_key_hash(UUID(int=6), "hash", "new", "q") is False
    assert backend.load(ID) == record(5)
    assert backend.replace_key_hash(ID, "hash", "new", "q") is True
    assert backend.load(ID) == record(5, key_hash="new", pepper_id="q")


def test_a_touch_raises_the_last_use_of_a_live_session_alone() -> None:
    backend = backend_with(record(5, last_used_at=10, expires_at=20))
    assert backend.touch(UUID(int=6), 11) is False
    for now, used in ((9, 10), (10, 10), (11, 11), (19, 19), (12, 19)):
        assert backend.touch(ID, now) is True
        assert backend.load(ID) == record(5, last_used_at=used, expires_at=20)
    assert backend.touch(ID, 20) is False
    idle = backend_with(record(5, inactivity_timeout=10))
    assert idle.touch(ID, 10) is False
    assert idle.touch(ID, 9) is True


def test_an_id_is_taken_once_until_it_is_deleted() -> None:
    backend = backend_with(record(5))
    with pytest.raises(DuplicateSession, match=str(ID)):
        backend.insert(record(5, user_id="other"))
    assert backend.delete(ID, Where(user_id="other")) is None
    assert backend.delete(UUID(int=6), Where()) is None
    assert backend.delete(ID, Where()) == SessionRef(ID, "u", "m")
    assert backend.delete(ID, Where()) is None
    assert backend.load(ID) is None


def test_a_guarded_update_changes_what_matches_and_no_more() -> None:
    backend = backend_with(record(5), record(6, user_id="v"))
    assert backend.update(ID, {"metadata": "1"}, Where(user_id="v")) is None
    assert backend.update(UUID(int=7), {"metadata": "1"}, Where()) is None
    assert backend.update(ID, {"metadata": "1"}, Where()) == record(5, metadata="1")
    assert backend.update_where(Where(user_id="v"), {"metadata": "2"}) == 1
    assert backend.find(Where(), None, 9) == [
        record(5, metadata="1"), record(6, user_id="v", metadata="2")
    ]  # fmt: skip


def test_pages_and_batches_are_as_long_as_was_asked() -> None:
    backend = backend_with(*(record(number) for number in (3, 1, 2)))
    assert [r.id.int for r in backend.find(Where(), None, 2)] == [1, 2]
    assert [r.id.int for r in backend.find(Where(), UUID(int=1), 9)] == [2, 3]
    assert backend.find(Where(), UUID(int=3), 9) == []
    assert backend.pepper_counts() == {"p": 3}
    assert backend.purge(Where(), 2) == 2
    assert backend.count(Where()) == 1
    assert backend.delete_where(Where(), frozenset({UUID(int=2), UUID(int=1)})) in (
        [], [SessionRef(UUID(int=3), "u", "m")]
    )  # fmt: skip


def test_a_write_waits_no_longer_than_the_call_may(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = backend_with(record(5))
    monkeypatch.setattr(memory, "remaining", lambda: 0.01)
    with backend._lock, pytest.raises(WouldBlock):
        backend.touch(ID, 1)
    assert backend.touch(ID, 1) is True


def test_a_child_forked_while_a_thread_writes_goes_on_with_a_copy() -> None:
    backend = backend_with(record(5))
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with backend._lock:
            held.set()
            done.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    free, copy = in_child(lambda: (backend._lock._lock.acquire(blocking=False), backend.load(ID)))
    done.set()
    thread.join()
    assert free
    assert copy == record(5)
