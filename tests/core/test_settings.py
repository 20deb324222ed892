"""Settings: from where each comes, which of two counts, and what is said of a wrong one."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from pathlib import Path

import pytest

from coatcheck import AsyncSessionManager, SessionManager, Settings
from coatcheck._options import ManagerOptions
from settings_sources import OLD, OLDER, PEPPER, VALUES, Place


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name in os.environ:
        if name.startswith("COATCHECK_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return Place(tmp_path, monkeypatch)


def test_a_manager_is_opened_from_the_environment(place: Place) -> None:
    place.environ(url="sqlite:///sessions.db", pepper=PEPPER, lifetime="3600")
    with SessionManager.from_env() as sessions:
        issued = sessions.issue("ann", method="password")
        assert issued.session.expires_at == issued.session.created_at + timedelta(hours=1)
    with SessionManager.open("sqlite:///sessions.db", pepper=PEPPER) as sessions:
        assert sessions.validate(issued.token)


def test_the_asynchronous_manager_reads_the_same(place: Place) -> None:
    place.environ(url="memory:", pepper=PEPPER)

    async def scenario() -> None:
        async with AsyncSessionManager.from_env() as sessions:
            assert await sessions.validate((await sessions.issue("a", method="x")).token)
        async with AsyncSessionManager.from_settings(Settings()) as sessions:
            assert await sessions.count() == 0

    asyncio.run(scenario())


def test_the_backend_is_chosen_without_a_change_of_code(place: Place) -> None:
    for url in ("memory:", "sqlite://", "sqlite:///s.db?synchronous=extra"):
        place.environ(url=url, pepper=PEPPER)
        with SessionManager.from_env() as sessions:
            assert sessions.validate(sessions.issue("ann", method="password").token)


def test_there_is_a_setting_for_each_option_and_for_the_url() -> None:
    options = set(ManagerOptions.__annotations__) - {"clock", "plugins"}
    assert set(Settings.model_fields) == options | {"url"}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("source", ["environ", "dotenv", "secret", "toml"])
def test_every_option_can_come_from_every_source(place: Place, source: str, name: str) -> None:
    text, toml, expected = VALUES[name]
    getattr(place, source)(**{name: toml if source == "toml" else text})
    assert Settings().options() == {name: expected}


def test_what_is_not_set_is_left_to_the_defaults(place: Place) -> None:
    assert Settings().options() == {}


@pytest.mark.parametrize("source", ["environ", "dotenv", "secret"])
def test_peppers_and_the_url_come_from_anywhere_but_toml(place: Place, source: str) -> None:
    getattr(place, source)(url="memory:", pepper=PEPPER)
    settings = Settings()
    assert settings.sealed_url().reveal() == "memory:"
    assert settings.options()["pepper"].reveal() == PEPPER


def test_the_url_may_stand_in_toml(place: Place) -> None:
    place.toml(url='"memory:"')
    place.environ(pepper=PEPPER)
    with SessionManager.from_env() as sessions:
        assert sessions.count() == 0


def test_the_first_source_that_names_an_option_decides_it(place: Place) -> None:
    place.toml(secret_length="20", salt_length="20", token_prefix='"ttt"', argon2_time_cost="4",
               lifetime='"PT20S"')  # fmt: skip
    place.secret(secret_length="21", salt_length="21", token_prefix="sss", argon2_time_cost="3")
    place.dotenv(secret_length="22", salt_length="22", token_prefix="ddd")
    place.environ(secret_length="23", salt_length="23")
    assert Settings(secret_length=24).options() == {
        "secret_length": 24,
        "salt_length": 23,
        "token_prefix": "ddd",
        "argon2_time_cost": 3,
        "lifetime": timedelta(seconds=20),
    }


def test_fallback_peppers_are_a_json_list(place: Place) -> None:
    place.environ(fallback_peppers=f'["{OLD}", "{OLDER}"]')
    peppers = Settings().options()["fallback_peppers"]
    assert [pepper.reveal() for pepper in peppers] == [OLD, OLDER]


@pytest.mark.parametrize(
    "content",
    [
        f"{OLD}\n{OLDER}\n",
        f"{OLD}\r\n{OLDER}",
        f"\n  {OLD}\n\n{OLDER}  \n",
        f'["{OLD}", "{OLDER}"]',
    ],
    ids=["lines", "CRLF", "blank lines", "JSON"],
)
def test_in_the_secrets_directory_they_stand_one_a_line(place: Place, content: str) -> None:
    place.secret(fallback_peppers=content, pepper=f"{PEPPER}\n")
    options = Settings().options()
    assert [pepper.reveal() for pepper in options["fallback_peppers"]] == [OLD, OLDER]
    assert options["pepper"].reveal() == PEPPER


def test_a_rotation_by_files_alone_signs_nobody_out(place: Place) -> None:
    place.environ(url="sqlite:///s.db")
    place.secret(pepper=OLD)
    with SessionManager.from_env() as sessions:
        token = sessions.issue("ann", method="password").token
    place.secret(pepper=PEPPER, fallback_peppers=OLD)
    with SessionManager.from_env() as sessions:
        assert sessions.validate(token)
    place.secret(fallback_peppers="")
    with SessionManager.from_env() as sessions:
        assert sessions.validate(token), "it was rewritten under the first"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0.5", timedelta(seconds=0.5)), ("90", timedelta(seconds=90)), ("P30D", timedelta(days=30)),
     ("PT1H30M", timedelta(hours=1.5)), ("none", None), ("None", None), (" NONE ", None),
     ("P1DT12H", timedelta(days=1.5))],
)  # fmt: skip
def test_spans_are_seconds_or_iso_8601_and_none_is_never(
    place: Place, text: str, expected: timedelta | None
) -> None:
    place.environ(lifetime=text)
    assert Settings().options() == {"lifetime": expected}


def test_a_span_of_never_never_ends(place: Place) -> None:
    place.environ(url="memory:", pepper=PEPPER, lifetime="none", inactivity_timeout="none")
    with SessionManager.from_env() as sessions:
        assert sessions.issue("ann", method="password").session.valid_until is None
