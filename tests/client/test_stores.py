"""What every token store keeps, and what a file must be to be used."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from children import Child
from coatcheck import BackendError, BackendUnavailable, ConfigError, Secret
from coatcheck.client import FileTokenStore, KeyringTokenStore, MemoryTokenStore, TokenStore
from coatcheck.client import _file as file_module
from keyrings import KeyringInMemory, keyring_of_the_system
from threads_at_once import all_at_once

TOKENS = st.from_regex(re.compile(r"[A-Za-z0-9._~+/-]{1,64}={0,2}"), fullmatch=True)
FEW = st.sampled_from(["a", "b", "b=", "cck_c"]) | TOKENS
CALLS = st.lists(st.tuples(st.sampled_from(["save", "load", "forget", "reopen"]), FEW))


@contextmanager
def in_memory() -> Iterator[Callable[[], TokenStore]]:
    store = MemoryTokenStore()
    yield lambda: store


@contextmanager
def in_file() -> Iterator[Callable[[], TokenStore]]:
    with TemporaryDirectory() as directory:
        yield lambda: FileTokenStore(Path(directory) / "new" / "one" / "token")


@contextmanager
def in_keyring() -> Iterator[Callable[[], TokenStore]]:
    with keyring_of_the_system(KeyringInMemory()):
        yield lambda: KeyringTokenStore("app", "ada")


STORES = {"memory": in_memory, "file": in_file, "keyring": in_keyring}


def shown(token: Secret[str] | None) -> str | None:
    return None if token is None else token.reveal()


@pytest.mark.parametrize("kind", STORES)
def test_a_store_has_the_token_that_was_saved_last_until_that_is_forgotten(kind: str) -> None:
    @settings(max_examples=50, deadline=None)
    @given(CALLS)
    def check(calls: list[tuple[str, str]]) -> None:
        model: str | None = None
        with STORES[kind]() as opened:
            store = opened()
            assert isinstance(store, TokenStore)
            for call, token in calls:
                if call == "save":
                    store.save(Secret(token))
                    model = token
                elif call == "forget":
                    assert store.forget(Secret(token)) is (model == token)
                    model = None if model == token else model
                elif call == "reopen":
                    store = opened()
                assert shown(store.load()) == model

    check()


@pytest.mark.parametrize("kind", STORES)
def test_of_many_threads_that_forget_one_token_one_has_done_it(kind: str) -> None:
    with STORES[kind]() as opened:
        store = opened()
        store.save(Secret("a"))
        assert sum(all_at_once(lambda n: store.forget(Secret("a")), 16)) == 1
        assert store.load() is None


# The file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "token"


@pytest.fixture
def store(path: Path) -> FileTokenStore:
    return FileTokenStore(path)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_only_the_owner_may_read_the_file_and_its_directories(tmp_path: Path, umask: int) -> None:
    (tmp_path / "there").mkdir(mode=0o755)
    path = tmp_path / "there" / "new" / "one" / "token"
    before = os.umask(umask)
    try:
        FileTokenStore(path).save(Secret("a"))
    finally:
        os.umask(before)
    assert mode(path) == 0o600
    assert path.read_bytes() == b"a\n"
    assert mode(tmp_path / "there") == 0o755
    assert [mode(path.parent), mode(path.parent.parent)] == [0o700, 0o700]


def refused(store: FileTokenStore, words: str) -> None:
    """Every call is, and names the file."""
    calls: list[Callable[[], Any]] = [
        store.load,
        lambda: store.save(Secret("cck_b")),
        lambda: store.forget(Secret("cck_a")),
    ]
    for call in calls:
        with pytest.raises(ConfigError, match=words) as caught:
            call()
        assert str(store._path) in str(caught.value)
        assert "cck_a" not in str(caught.value)


@pytest.mark.parametrize("extra", [0o040, 0o020, 0o010, 0o004, 0o002, 0o001, 0o044])
def test_a_file_that_others_may_use_is_refused(
    path: Path, store: FileTokenStore, extra: int
) -> None:
    store.save(Secret("cck_a"))
    path.chmod(0o600 | extra)
    refused(store, f"mode 0{0o600 | extra:o}")
    assert path.read_text() == "cck_a\n"
    path.chmod(0o400)
    assert shown(store.load()) == "cck_a"


def test_a_file_of_another_user_is_refused(
    path: Path, store: FileTokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save(Secret("cck_a"))
    if os.geteuid() == 0:  # who may read it all the same
        os.chown(path, 65_534, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 65_534)
    refused(store, "another user")


def test_a_symbolic_link_is_refused(tmp_path: Path, path: Path, store: FileTokenStore) -> None:
    FileTokenStore(tmp_path / "real").save(Secret("cck_a"))
    path.symlink_to(tmp_path / "real")
    refused(store, "symbolic link")
    path.unlink()
    path.symlink_to(tmp_path / "nothing")
    refused(store, "symbolic link")
    assert not (tmp_path / "nothing").exists()
    assert (tmp_path / "real").read_text() == "cck_a\n"


def test_a_directory_and_a_pipe_are_refused(path: Path, store: FileTokenStore) -> None:
    path.mkdir()
    refused(store, "no regular file")
    path.rmdir()
    os.mkfifo(path, 0o600)
    refused(store, "no regular file")


def test_a_link_at_the_name_of_the_new_file_is_not_followed(
    tmp_path: Path, path: Path, store: FileTokenStore
) -> None:
    (tmp_path / "token.new").symlink_to(tmp_path / "stolen")
    store.save(Secret("a"))
    assert not (tmp_path / "stolen").exists()
    assert not path.is_symlink()


def test_a_write_that_fails_leaves_the_old_token_and_no_new_file(
    tmp_path: Path, store: FileTokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save(Secret("a"))

    def no_space(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(BackendError, match=r"cannot be written: No space left on device$"):
        store.save(Secret("b"))
    assert shown(store.load()) == "a"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["token", "token.lock"]


def test_what_cannot_be_read_is_said_with_its_cause(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = FileTokenStore(tmp_path / "file" / "token")
    with pytest.raises(BackendError, match="Not a directory") as caught:
        store.load()
    assert isinstance(caught.value.__cause__, OSError)


def test_a_relative_path_stays_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = FileTokenStore("token")
    store.save(Secret("a"))
    monkeypatch.chdir("/")
    assert shown(store.load()) == "a"


def test_a_lock_that_is_never_released_is_an_error(
    path: Path, store: FileTokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_module, "LOCK_SECONDS", 0.05)
    with store._locked(), pytest.raises(BackendUnavailable, match=r"token\.lock"):
        FileTokenStore(path).save(Secret("a"))
    store.save(Secret("a"))


def test_a_child_that_is_forked_under_the_lock_does_not_keep_it(
    path: Path, store: FileTokenStore
) -> None:
    done = threading.Event()
    with store._locked():
        child = Child(lambda: done.wait(0.5))
    FileTokenStore(path).save(Secret("a"))
    assert child.answer() is False


FORGETTING = """
import sys
from coatcheck import Secret
from coatcheck.client import FileTokenStore
store = FileTokenStore(sys.argv[1])
print("ready", flush=True)
for line in sys.stdin:
    call, token = line.split()
    done = getattr(store, call)(Secret(token))
    print(done, flush=True)
"""


def test_of_several_processes_that_forget_one_token_one_has_done_it(
    path: Path, store: FileTokenStore
) -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", FORGETTING, str(path)]
    others = [subprocess.Popen(command, **pipes) for _ in range(3)]  # type: ignore[call-overload]
    try:
        for other in others:
            assert other.stdout.readline() == "ready\n"
        for n in range(30):
            store.save(Secret(f"t{n}"))
            for other in others:
                other.stdin.write(f"forget t{n}\n")
                other.stdin.flush()
            # Nothing of this may be forgotten, nor be lost.
            store.save(Secret(f"u{n}"))
            said = [other.stdout.readline() for other in others]
            assert said.count("True\n") <= 1
            assert shown(store.load()) == f"u{n}"
    finally:
        for other in others:
            other.communicate(timeout=30)
