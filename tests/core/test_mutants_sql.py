"""What mutation testing found that no other test held: constants of the SQL, and SQLite's URLs."""

from __future__ import annotations

import sqlite3

import pytest

from coatcheck import ConfigError, Secret
from coatcheck_backends import sqlite
from coatcheck_backends.sql.flavours import BEGINNING
from coatcheck_backends.sqlite.location import parse


def test_the_beginning_of_time_is_a_number_that_a_column_of_eight_bytes_holds() -> None:
    assert int(str(BEGINNING)) == -(2**63) + 1


@pytest.mark.parametrize("place", ["ann@", ":secret@", ":7", "ann:secret@:7"])
def test_a_file_takes_no_user_no_password_and_no_port(place: str) -> None:
    with pytest.raises(ConfigError, match="no user, password or port"):
        sqlite.open_backend(Secret(f"sqlite://{place}/sessions.db"))


@pytest.mark.parametrize("path", ["file:sessions.db", "sessions%00.db"])
def test_a_file_is_named_by_a_plain_path(path: str) -> None:
    with pytest.raises(ConfigError, match="must be a plain path"):
        sqlite.open_backend(Secret(f"sqlite:///{path}".replace("%00", "\0")))


@pytest.mark.parametrize(
    ("version", "taken"), [((3, 34, 1), False), ((3, 35, 0), True), ((4, 0, 0), True)]
)
def test_sqlite_must_have_returning(
    monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...], taken: bool
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    if taken:
        sqlite.open_backend(Secret("sqlite://"))
        return
    with pytest.raises(ConfigError, match=r"version 3\.35 is needed"):
        sqlite.open_backend(Secret("sqlite://"))


def test_a_url_that_does_not_say_how_many_connections_means_sixteen() -> None:
    assert parse(Secret("sqlite:///a")).pool_size == 16
    assert parse(Secret("sqlite:///a?pool_size=1000")).pool_size == 1000
