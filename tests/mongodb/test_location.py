"""What a URL may say, and that no refusal of one shows it."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from coatcheck import AsyncSessionManager, ConfigError, Secret, SessionManager
from coatcheck_backends.mongodb import location
from mongodb_places import PEPPER

CANARY = "canary-passw0rd"
HOST = f"mongodb://app:{CANARY}@127.0.0.1:1/db"

NAMED = {
    "w=1": "'w' must be majority",
    "w=0": "'w' must be majority",
    "w=3": "'w' must be majority",
    "journal=false": "'journal' must be true",
    "j=false": "'j' must be true",
    "readPreference=secondaryPreferred": "'readPreference' must be primary",
    "readpreference=nearest": "'readpreference' must be primary",
    "readPreferenceTags=dc:east": "'readPreferenceTags' cannot be given",
    "maxStalenessSeconds=120": "'maxStalenessSeconds' cannot be given",
    "readConcernLevel=local": "strict=true",
    "readConcernLevel=linearizable": "strict=true",
    "retryWrites=false": "'retryWrites' must be true",
    "RETRYREADS=false": "'RETRYREADS' must be true",
    "directConnection=true": "'directConnection' must be false",
    "timeoutMS=100": "'timeoutMS' cannot be given: .* deadline",
    "strict=yes": "'strict' must be true or false",
    "strict=": "'strict' must be true or false",
    "collection=": "'collection' must be a plain name",
    "collection=system.users": "'collection' must be a plain name",
    "collection=a%24b": "'collection' must be a plain name",
    f"collection={'a' * 101}": "'collection' must be a plain name",
    f"collection=a%00{CANARY}": "'collection' must be a plain name",
    f"nonsense={CANARY}": "'nonsense' is not known",
    "maxPoolSize=many": "'maxPoolSize' is not known, or its value cannot be used",
    f"tlsCAFile=/nowhere/{CANARY}": "'tlsCAFile'",
    "strict=true&strict=true": "'strict' is given more than once",
    "w=majority&W=1": "'W' is given more than once",
}

UNUSABLE = {
    f"mongodb://app:{CANARY}@/db": "no host",
    f"mongodb://app:{CANARY}@": "no host",
    "mongodb://": "no host",
    "mongodb:///db": "no host",
    f"mongodb:{CANARY}": "begins with mongodb://",
    f"mongodb+odd://app:{CANARY}@h/db": "begins with mongodb://",
    f"mongodb://app:{CANARY}@h:port/db": "cannot be used",
    f"mongodb://app:{CANARY}@h:99999/db": "cannot be used",
    f"mongodb://a:p:{CANARY}@@h/db": "cannot be used",
    f"mongodb://app:%zz{CANARY}@h/db": "cannot be used",
    f"mongodb://app:{CANARY}@h/a.{CANARY}": "no name of a database",
    f"mongodb://app:{CANARY}@h/a%24b": "no name of a database",
    f"mongodb://app:{CANARY}@h/a/b": "no name of a database",
    f"mongodb://app:{CANARY}@h/{'a' * 64}": "no name of a database",
    f"mongodb://app:{CANARY}@h/admin": "authSource",
    f"mongodb+srv://app:{CANARY}@a,b/db": "one host, and no port",
    f"mongodb+srv://app:{CANARY}@a:1/db": "one host, and no port",
    f"mongodb://app:{CANARY}@h,i/db?loadBalanced=true": "cannot be used",
    f"mongodb://:{CANARY}@h/db?authMechanism=SCRAM-SHA-256": "cannot be used",
}


def open_sync(url: Any) -> object:
    return SessionManager.open(url, pepper=PEPPER)


def open_async(url: Any) -> object:
    return AsyncSessionManager.open(url, pepper=PEPPER)


def refused(url: str, why: str) -> None:
    for opened in (open_sync, open_async):
        with pytest.raises(ConfigError, match=why) as raised:
            opened(Secret(url))
        error: BaseException | None = raised.value
        told = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
        ours = [frame for frame in told.stack if "/coatcheck" in frame.filename]
        assert ours
        for frame in ours:
            assert CANARY not in str(frame.locals), frame
        while error is not None:
            assert CANARY not in f"{error!r} {error}"
            assert error.__cause__ is None
            error = error.__context__


@pytest.mark.parametrize(("option", "why"), NAMED.items())
def test_an_option_that_cannot_be_is_named_and_its_value_is_not_shown(
    option: str, why: str
) -> None:
    refused(f"{HOST}?{option}", why)


@pytest.mark.parametrize(("url", "why"), UNUSABLE.items())
def test_a_url_that_cannot_be_used_is_not_shown(url: str, why: str) -> None:
    refused(url, why)


@pytest.mark.parametrize(
    "query",
    [
        "w=majority&journal=true&readPreference=primary&retryWrites=true&readConcernLevel=majority",
        "directConnection=false&appname=shop&maxPoolSize=5&compressors=zlib&tls=false",
        "connectTimeoutMS=100&serverSelectionTimeoutMS=100&replicaSet=rs0&authSource=admin",
        "collection=a.b-c_9&strict=false",
        "strict=true;appname=x",
    ],
)
def test_what_breaks_no_law_is_left_to_the_driver(query: str) -> None:
    location.parse(Secret(f"{HOST}?{query}"))


def test_what_is_ours_does_not_reach_the_driver() -> None:
    read = location.parse(Secret(f"{HOST}?strict=true&appname=x&collection=c"))
    assert read.address.reveal() == f"{HOST}?appname=x"
    assert read[2:] == ("db", "c", True)
    plain = location.parse(Secret("mongodb://h"))
    assert plain[2:] == ("coatcheck", "coatcheck_session", False)
    assert (
        location.parse(Secret("mongodb+srv://u:p@h.example/a%20b".replace("%20", "_")))[2] == "a_b"
    )
    assert CANARY not in repr(read)


def test_options_of_the_client_count_before_those_in_the_url() -> None:
    from coatcheck_backends import mongodb

    backend: Any = mongodb.open_backend(Secret(f"{HOST}?uuidRepresentation=javaLegacy"))
    backend._own.collections()
    options = backend._own.client.options
    assert options.timeout == 5
    assert options.pool_options.connect_timeout == 5
    assert options.retry_writes
    assert options.retry_reads
    backend.close()


def test_linearizable_is_declared_only_where_it_is_asked_for() -> None:
    from coatcheck_backends import mongodb

    for opener in (mongodb.open_backend, mongodb.open_async_backend):
        plain: Any = opener(Secret(HOST))
        strict: Any = opener(Secret(f"{HOST}?strict=true"))
        assert set(strict.info().capabilities) - set(plain.info().capabilities) == {"linearizable"}
        assert plain.info().capabilities == {"transactions", "shared", "durable", "scan"}
