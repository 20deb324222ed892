"""The system's keyring, by a backend of keyring's own kind."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator

import keyring.backends.fail
import keyring.backends.null
import pytest
from keyring.backend import KeyringBackend

from coatcheck import BackendError, ConfigError, Secret
from coatcheck.client import KeyringTokenStore, SessionAuth
from keyrings import ForgetfulKeyring, KeyringInMemory, LockedKeyring, keyring_of_the_system
from web_origins import Face, WebOrigin

TOKEN = Secret("cck_token")


@pytest.fixture
def backend() -> Iterator[KeyringInMemory]:
    backend = KeyringInMemory()
    with keyring_of_the_system(backend):
        yield backend


def test_the_token_is_the_password_of_one_entry(backend: KeyringInMemory) -> None:
    store = KeyringTokenStore("app", "ada")
    store.save(TOKEN)
    assert backend.passwords == {("app", "ada"): "cck_token"}
    assert KeyringTokenStore("app", "bob").load() is None
    assert KeyringTokenStore("other", "ada").load() is None
    assert store.forget(TOKEN)
    assert backend.passwords == {}


def test_a_session_lives_in_the_keyring(
    face: Face, backend: KeyringInMemory, home: WebOrigin
) -> None:
    home.good.add("cck_token")
    auth = SessionAuth(home.url, KeyringTokenStore("app", "ada"))
    face.sign_in(auth, "cck_token")
    client = face.client(auth)
    assert client.get(home.url).status_code == 200
    home.good.clear()
    assert client.get(home.url).status_code == 401
    assert backend.passwords == {}


@pytest.mark.parametrize(
    ("backend", "error", "words"),
    [
        (LockedKeyring(), BackendError, "the keyring cannot be (read|written|changed): Keyring"),
        (keyring.backends.fail.Keyring(), ConfigError, "no keyring that can be used"),
    ],
)
def test_a_keyring_that_refuses_is_an_error(
    backend: KeyringBackend, error: type[Exception], words: str
) -> None:
    store = KeyringTokenStore("app", "ada")
    with keyring_of_the_system(backend):
        for call in (store.load, lambda: store.save(TOKEN), lambda: store.forget(TOKEN)):
            with pytest.raises(error, match=words) as caught:
                call()
            assert caught.value.__cause__ is not None


def test_a_keyring_that_keeps_nothing_is_an_error() -> None:
    with keyring_of_the_system(keyring.backends.null.Keyring()):
        store = KeyringTokenStore("app", "ada")
        with pytest.raises(ConfigError, match="does not keep"):
            store.save(TOKEN)


def test_an_entry_that_cannot_be_deleted_is_gone_or_an_error() -> None:
    backend = ForgetfulKeyring()
    with keyring_of_the_system(backend):
        store = KeyringTokenStore("app", "ada")
        store.save(TOKEN)
        assert not store.forget(TOKEN)  # another process has done it
        store.save(TOKEN)
        backend.is_gone = False
        with pytest.raises(BackendError, match="cannot be changed: PasswordDeleteError"):
            store.forget(TOKEN)


def test_without_keyring_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigError, match=r'pip install "coatcheck\[keyring\]"$') as caught:
        KeyringTokenStore("app", "ada")
    assert "\n" not in str(caught.value)


def test_without_httpx2_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("coatcheck.client")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "httpx2", None)
    with pytest.raises(ImportError, match=r'pip install "coatcheck\[client\]"$') as caught:
        importlib.import_module("coatcheck.client")
    assert "\n" not in str(caught.value)
