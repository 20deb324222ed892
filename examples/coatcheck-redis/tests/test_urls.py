"""What a URL may say, what the server must be like, and what nobody gets to see."""

from __future__ import annotations

import traceback
from typing import Any
from uuid import UUID

import pytest
from asking import Asking, record
from coatcheck_redis import open_backend
from redis_server import RedisServer

from coatcheck import (
    BackendError,
    BackendUnavailable,
    ConfigError,
    SchemaMissing,
    SchemaTooNew,
    Secret,
    Where,
)

CANARY = "canary-password"


def seen(error: BaseException | None) -> str:
    """All that an error says, and what the frames of the backend knew."""
    words = ""
    while error is not None:
        words += "".join(traceback.format_exception_only(error)) + repr(vars(error))
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if "/coatcheck_redis/" in frame.f_code.co_filename:
                words += repr(frame.f_locals)
        error = error.__cause__ or error.__context__
    return words


@pytest.mark.parametrize(
    "rest",
    [
        "?socket_timeout=1",
        "?socket_connect_timeout=1",
        "?timeout=1",
        "?retry_on_timeout=true",
        "?retry_on_error=x",
        "?decode_responses=true",
        "?encoding=latin-1",
        "?encoding_errors=replace",
        "?protocol=3",
        "?nonsense=1",
        "?max_connections=many",
        "?durable=yes",
        "?prefix=",
        "?prefix={x}",
        "?prefix=a%20b",
        "/sessions",
        "/0/1",
        ":0x1",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_and_not_shown(rest: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_backend(Secret(f"redis://user:{CANARY}@localhost{rest}"))
    assert CANARY not in seen(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "rediss://localhost:6380/3?ssl_cert_reqs=none",
        "valkey://:p%40ss@localhost/0?prefix=a.b:c-d_e&durable=true",
        "valkeys://user:p@[::1]:1/?max_connections=3&client_name=me&health_check_interval=30",
    ],
)
def test_what_redis_py_knows_is_left_to_it(url: str) -> None:
    assert CANARY not in repr(open_backend(Secret(url)))


def test_a_wrong_password_is_an_error_that_does_not_show_it(face: str) -> None:
    with RedisServer(requirepass="right") as server:
        url = server.url.replace("//", f"//:{CANARY}@")
        with pytest.raises(BackendUnavailable) as caught, Asking(face, url):
            pass
        assert CANARY not in seen(caught.value)
        with Asking(face, server.url.replace("//", "//:right@")) as store:
            store.ask("insert", record(1))


def test_what_the_server_says_is_not_repeated(store: Asking) -> None:
    # An unknown command is answered with its arguments, which may hold a key hash.
    def said() -> Any:
        yield Secret(("UNHEARDOF", CANARY))

    def asked() -> None:
        store.runner.run(store.backend._run(said(), "insert", ()))

    with pytest.raises(BackendError) as caught:
        asked()
    assert CANARY not in seen(caught.value)


def test_schemas_are_told_apart(face: str, server: RedisServer) -> None:
    with server.client() as client, Asking(face, server.url) as store:
        client.delete("{coatcheck}:schema")
        with pytest.raises(SchemaMissing):
            store.ask("prepare", False)
        assert not client.keys("*")
        store.ask("prepare", True)
        store.ask("prepare", False)
        client.set("{coatcheck}:schema", 2)
        for create in (True, False):
            with pytest.raises(SchemaTooNew):
                store.ask("prepare", create)


def test_each_prefix_and_each_database_is_a_store(face: str, server: RedisServer) -> None:
    other = server.url.replace("/0", "/1")
    with (
        Asking(face, server.url) as one,
        Asking(face, f"{server.url}?prefix=two") as two,
        Asking(face, other) as three,
    ):
        one.ask("insert", record(1))
        two.ask("insert", record(2))
        three.ask("insert", record(3))
        for number, store in enumerate((one, two, three), 1):
            assert store.ask("find", Where(), None, 10) == [record(number)]
        assert two.ask("load", UUID(int=1)) is None


@pytest.mark.parametrize(
    ("settings", "durable"),
    [
        ({"appendonly": "no"}, True),
        ({"appendfsync": "everysec"}, True),
        ({"maxmemory_policy": "allkeys-lru"}, False),
        ({"replicaof": "127.0.0.1 1"}, False),
    ],
)
def test_a_server_that_could_break_a_law_is_refused(
    face: str, settings: dict[str, str], durable: bool
) -> None:
    with RedisServer(**settings) as server:
        url = f"{server.url}?durable={'true' if durable else 'false'}"
        with pytest.raises(ConfigError), Asking(face, url):
            pass


def test_what_is_declared_is_what_was_asked_for(server: RedisServer) -> None:
    plain, durable = (
        {str(each) for each in Asking("sync", server.url + query).ask("info").capabilities}
        for query in ("", "?durable=true")
    )
    assert plain == {"shared", "scan"}
    assert durable == plain | {"durable", "linearizable"}


def test_a_text_that_has_no_utf_8_is_an_error_that_does_not_quote_it(store: Asking) -> None:
    with pytest.raises(BackendError) as caught:
        store.ask("insert", record(1, key_hash=f"{CANARY} \ud800"))
    assert CANARY not in seen(caught.value)
    assert store.ask("load", UUID(int=1)) is None


def test_no_frame_of_a_failure_knows_a_hash(face: str) -> None:
    with RedisServer() as server, Asking(face, server.url) as store:
        server.kill()
        with pytest.raises(BackendUnavailable) as caught:
            store.ask("insert", record(1, key_hash=CANARY))
        assert CANARY not in seen(caught.value)
