"""Law 18 at the client: with every ear open, the token is seen nowhere but where it is kept."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import httpx2
import pytest

from canaries import Canaries, Net
from coatcheck import Secret
from coatcheck.client import FileTokenStore, KeyringTokenStore, MemoryTokenStore, SessionAuth
from keyrings import KeyringInMemory, LockedKeyring, keyring_of_the_system
from web_origins import Answer, Face, WebOrigin

TOKEN = "cck_canary-token-0Kd83jfWm2Lq9Zx7TbVn"


class Interrupted(Exception):  # noqa: N818
    """What `on_signed_out` raises."""


@pytest.fixture
def canaries() -> Canaries:
    canaries = Canaries()
    canaries.secret("token", TOKEN)
    canaries.secret("token without its prefix", TOKEN.removeprefix("cck_"))
    return canaries


@pytest.fixture
def net(tmp_path: Path) -> Any:
    net = Net()
    with net.listening(), net.reading_output(tmp_path):
        yield net


def caught(net: Net, where: str, call: Any, *args: Any, **named: Any) -> BaseException:
    """The exception of a call, into the net."""
    try:
        call(*args, **named)
    except Exception as error:  # noqa: BLE001 - looked at
        net.error(where, error)
        return error
    pytest.fail(f"{where}: nothing was raised")


def raising() -> None:
    raise Interrupted


def stores(tmp_path: Path) -> list[Any]:
    return [
        MemoryTokenStore(),
        FileTokenStore(tmp_path / "kept" / "token"),
        KeyringTokenStore("app", "ada"),
    ]


def test_the_token_is_seen_nowhere(
    face: Face, home: WebOrigin, tmp_path: Path, canaries: Canaries, net: Net
) -> None:
    with keyring_of_the_system(KeyringInMemory()):
        for store in stores(tmp_path):
            live(face, home, store, net)
    assert any(where.startswith("log of httpx2") for where, _ in net.caught)
    assert sum(len(text) for _, text in net.locals) > 2_000
    leaks = net.leaks(canaries)
    assert not leaks, "\n".join(map(str, leaks))


def live(face: Face, home: WebOrigin, store: Any, net: Net) -> None:
    """Everything that can happen to a token."""
    home.good = {TOKEN}
    auth = SessionAuth(home.url, store, raising)
    client = face.client(auth, follow_redirects=True)
    face.sign_in(auth, TOKEN)
    localhost = home.url.replace("127.0.0.1", "localhost")
    for url in ("", "/to?/a", f"/to?{localhost}/b"):
        response = client.get(home.url + url)
        for one in (response, *response.history, response.request):
            net.show(f"answer of {url}", one)
            net.show("headers", one.headers)
    for value in (auth, store, auth._holding, auth._holding.load(), client):
        net.show(type(value).__name__, value)
    home.good.clear()
    caught(net, "signed out", client.get, home.url)
    face.sign_in(auth, TOKEN)
    home.answers["/endless"] = Answer(307, [("Location", "/endless")])
    caught(net, "too many redirects", client.get, f"{home.url}/endless")
    caught(net, "bad token", face.sign_in, auth, f"{TOKEN} {TOKEN}")
    caught(net, "no network", client.get, "http://127.0.0.1:9", auth=auth)


def test_a_store_that_fails_shows_no_token(
    face: Face, home: WebOrigin, tmp_path: Path, canaries: Canaries, net: Net
) -> None:
    path = tmp_path / "token"
    auth = SessionAuth(home.url, FileTokenStore(path))
    client = face.client(auth)
    for content in (f"{TOKEN} {TOKEN}", "\udcff".encode(errors="surrogateescape"), "", TOKEN * 200):
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(0o600)
        error = caught(net, "no token in the file", client.get, home.url)
        assert "FileTokenStore holds is no bearer token" in str(error)
        face.sign_out(auth)
        assert not path.exists()
    face.sign_in(auth, TOKEN)
    path.chmod(0o644)
    caught(net, "shared file", client.get, home.url)
    caught(net, "shared file, anew", face.sign_in, auth, TOKEN)
    with keyring_of_the_system(LockedKeyring()):
        store = KeyringTokenStore("app", "ada")
        caught(net, "keyring", SessionAuth(home.url, store).sign_in, TOKEN)
        caught(net, "keyring", store.save, Secret(TOKEN))
    assert not net.leaks(canaries)
    assert home.tokens() == []


@pytest.mark.parametrize("way", [pickle.dumps, copy.copy, copy.deepcopy])
def test_what_holds_a_token_is_neither_pickled_nor_copied(way: Any) -> None:
    auth = SessionAuth("https://api.example")
    auth.sign_in(TOKEN)
    for value in (auth, MemoryTokenStore(), KeyringTokenStore("app", "ada")):
        with pytest.raises(
            TypeError, match=f"{type(value).__name__} .*cannot be pickled or copied"
        ):
            way(value)


def test_the_net_would_catch_it(home: WebOrigin, canaries: Canaries, net: Net) -> None:
    """A client that keeps its token in a header of its own, as clients do."""
    with httpx2.Client(headers={"X-Token": TOKEN}, trust_env=False) as client:
        net.show("headers", client.get(home.url).request.headers)
    assert net.leaks(canaries)
