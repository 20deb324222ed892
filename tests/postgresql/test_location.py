"""What a URL may say: what is wrong is named, and nothing of what it says is shown."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from typing import Any

import pytest

from canaries import Canaries, Net
from coatcheck import AsyncSessionManager, BackendUnavailable, ConfigError, Secret, SessionManager
from coatcheck_backends.postgresql.location import parse
from postgresql_places import PEPPER, Place

PASSWORD = "canary-password-of-the-url"
VALUE = "canary-value-of-an-option"
USER = "canary-user-of-the-url"
HOST = "canary-host-of-the-url"


def url(query: str, driver: str = "postgresql") -> str:
    return f"{driver}://{USER}:{PASSWORD}@{HOST}:1/base?{query}"


def refused(text: str, *, asynchronous: bool = False) -> str:
    """What is said of a URL, in the words of all errors and without a word of the URL's own."""
    canaries, net = Canaries(), Net()
    for name, value in [("password", PASSWORD), ("value", VALUE)]:
        canaries.secret(name, value)
    kind = AsyncSessionManager if asynchronous else SessionManager
    with net.listening(), pytest.raises(ConfigError) as raised:
        kind.open(text, pepper=PEPPER)
    net.error("open", raised.value)
    assert net.leaks(canaries) == []
    said = str(raised.value)
    assert USER not in said
    assert HOST not in said
    return said


WRONG = [
    *[("pool_size", value) for value in ("0", "-1", "1001", "1.5", "%D9%A1", VALUE)],
    *[("pool_idle", value) for value in ("0", "86401", "5s", VALUE)],
    *[("schema", value) for value in ("Upper", "a-b", "1a", "a" * 51, "a.b", "%22", VALUE)],
    *[("table", value) for value in ("Upper", "a;b", "a" * 51, VALUE)],
    *[("prepared_statements", value) for value in ("yes", "Auto", VALUE)],
    *[("allow_standby", value) for value in ("1", "True", VALUE)],
]


@pytest.mark.parametrize("driver", ["postgresql", "postgresql+psycopg", "postgresql+asyncpg"])
@pytest.mark.parametrize(("option", "value"), WRONG)
def test_an_option_that_is_wrong_is_named(option: str, value: str, driver: str) -> None:
    said = refused(url(f"{option}={value}", driver), asynchronous=True)
    assert repr(option) in said
    assert f"={value}" not in said


@pytest.mark.parametrize("option", ["pool_size", "schema", "table", "allow_standby"])
def test_an_option_given_twice_is_named(option: str) -> None:
    said = refused(url(f"{option}={VALUE}&{option}={VALUE}"))
    assert repr(option) in said
    assert "more than once" in said


@pytest.mark.parametrize("driver", ["postgresql", "postgresql+asyncpg"])
@pytest.mark.parametrize("option", ["nosuch", "pool_sizes", "Schema", "POOL_SIZE"])
def test_an_option_that_nobody_knows_is_named_with_those_that_there_are(
    option: str, driver: str
) -> None:
    said = refused(url(f"{option}={VALUE}", driver), asynchronous=True)
    assert f"unknown option {option!r}" in said
    assert "pool_size" in said
    assert driver.partition("+")[2] in said


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://{USER}:{PASSWORD}@{HOST}:port/base",
        f"postgresql:{USER}:{PASSWORD}@{HOST}",
        f"postgresql+psycopg2://{USER}:{PASSWORD}@{HOST}/base",
        f"postgresql+pg8000://{USER}:{PASSWORD}@{HOST}/base",
        f"postgresql+://{USER}:{PASSWORD}@{HOST}/base",
    ],
)
def test_a_url_that_cannot_be_read_or_names_another_driver_is_refused(text: str) -> None:
    assert "postgresql" in refused(text)
    assert "postgresql" in refused(text, asynchronous=True)


def test_a_url_with_asyncpg_serves_the_synchronous_manager_by_way_of_psycopg(place: Place) -> None:
    # The service and the command beside it take the same URL.
    url = place.url_for("asyncpg", ssl="disable")
    with SessionManager.open(url, pepper=PEPPER) as sessions:
        assert sessions.validate(sessions.issue("ann", method="password").token)


def test_asyncpg_cannot_do_without_prepared_statements() -> None:
    said = refused(url("prepared_statements=never", "postgresql+asyncpg"), asynchronous=True)
    assert "asyncpg needs prepared statements" in said


@pytest.mark.parametrize("driver", ["postgresql", "postgresql+asyncpg"])
def test_what_was_parsed_shows_nothing_of_the_url(driver: str) -> None:
    canaries, net = Canaries(), Net()
    canaries.secret("password", PASSWORD)
    location = parse(Secret(url("pool_size=3&schema=a&table=b&allow_standby=true", driver)))
    net.show("location", location)
    assert net.leaks(canaries) == []
    assert location.names == ("b", "a")
    assert location.pool_size == 3
    assert location.allow_standby


@pytest.mark.parametrize("driver", ["postgresql", "postgresql+asyncpg"])
def test_a_password_that_is_refused_or_a_server_that_is_not_there_shows_no_password(
    driver: str,
) -> None:
    canaries, net = Canaries(), Net()
    canaries.secret("password", PASSWORD)

    async def start() -> None:
        async with AsyncSessionManager.open(
            f"{driver}://{USER}:{PASSWORD}@127.0.0.1:1/base", pepper=PEPPER
        ):
            pass

    with net.listening(), pytest.raises(BackendUnavailable) as raised:
        asyncio.run(start())
    net.error("start", raised.value)
    assert net.leaks(canaries) == []


def test_several_hosts_lead_to_the_primary() -> None:
    for driver in ("postgresql", "postgresql+asyncpg"):
        hosts = f"{driver}://user@/base?host=one:1&host=two:2"
        arguments = parse(Secret(hosts)).arguments.reveal()
        assert arguments["target_session_attrs"] == "primary"
        either = parse(Secret(f"{hosts}&allow_standby=true")).arguments.reveal()
        assert "target_session_attrs" not in either


@pytest.mark.parametrize(
    ("face", "option"),
    [("psycopg", "connect_timeout"), ("psycopg", "sslmode"), ("asyncpg", "sslmode"),
     ("psycopg", "application_name"), ("asyncpg", "application_name")],
)  # fmt: skip
def test_an_option_of_the_drivers_goes_to_the_driver(place: Place, face: str, option: str) -> None:
    value = {"connect_timeout": "3", "sslmode": "disable", "application_name": "a_desk"}[option]
    sessions = place.open(face, {option: value})
    assert sessions.issue("ann", method="password")
    if option == "application_name":
        named = place.sql("SELECT 1 FROM pg_stat_activity WHERE application_name = 'a_desk'")
        assert named, "the server knows us by the name that was given"


@pytest.mark.parametrize(
    ("driver", "missing", "extra"),
    [("postgresql", "psycopg", "coatcheck[postgresql]"),
     ("postgresql+asyncpg", "asyncpg", "coatcheck[asyncpg]")],
)  # fmt: skip
def test_a_driver_that_is_not_installed_is_named_with_the_extra(
    driver: str, missing: str, extra: str
) -> None:
    code = (
        "import sys\n"
        f"sys.modules[{missing!r}] = None\n"
        "from coatcheck import AsyncSessionManager, ConfigError\n"
        "try:\n"
        f"    AsyncSessionManager.open({url('', driver)!r}, pepper={PEPPER!r})\n"
        "except ConfigError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert missing in done.stdout
    assert extra in done.stdout
    assert PASSWORD not in done.stdout + done.stderr


def test_no_driver_is_imported_with_the_backends() -> None:
    code = "import sys, coatcheck_backends.postgresql; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"psycopg", "asyncpg", "sqlalchemy", "alembic"}


def test_nothing_is_connected_to_before_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr(socket.socket, "connect", refuse)
    AsyncSessionManager.open(url("", "postgresql+asyncpg"), pepper=PEPPER)
