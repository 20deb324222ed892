"""The file itself: who may read it, how it is synced, where it may be, what its URL may say."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import URL

from coatcheck import (
    BackendUnavailable,
    ConfigError,
    DuplicateSession,
    Record,
    Secret,
    SessionManager,
)
from coatcheck_backends import sqlite
from coatcheck_backends.sqlite import connections
from sqlite_files import PEPPER, Place, twenty_operations


@pytest.mark.parametrize("umask", [0o022, 0o000])
def test_nobody_else_can_read_the_file(place: Place, face: str, umask: int) -> None:
    before = os.umask(umask)
    try:
        sessions = place.open(face)
        sessions.issue("ann", method="password")
    finally:
        os.umask(before)
    files = place.files()
    assert len(files) == 3, "the database, its WAL, and the index of that"
    for file in files:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_the_file_is_in_wal_mode_and_a_commit_is_synced(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels: list[tuple[str, int]] = []
    real = sqlite3.Connection.execute

    def execute(self: Any, sql: str, parameters: tuple[Any, ...] = ()) -> Any:
        verb = sql.split(maxsplit=1)[0]
        if verb in ("INSERT", "UPDATE", "DELETE"):
            [(level,)] = real(self, "PRAGMA synchronous")
            what = "touch" if "last_used_at=max" in sql.replace(" ", "").lower() else verb
            levels.append((what, level))
        return real(self, sql, parameters)

    monkeypatch.setattr(connections.Connection, "execute", execute, raising=False)
    for query, full in (("", 2), ("?synchronous=full", 2), ("?synchronous=extra", 3)):
        levels.clear()
        sessions = place.open("sync", query, touch_interval=timedelta(0))
        issued = sessions.issue("ann", method="password")
        sessions.validate(issued.token)
        sessions.update(issued.session.id, scopes={"a"})
        sessions.revoke_all(user_id="ann")
        assert dict(levels) == {"INSERT": full, "touch": 1, "UPDATE": full, "DELETE": full}
    with closing(sqlite3.connect(place.path)) as raw:
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("?synchronous=off", "synchronous"),
        ("?synchronous=normal", "synchronous"),
        ("?pool_size=0", "pool_size"),
        ("?pool_size=1001", "pool_size"),
        ("?pool_size=many", "pool_size"),
        ("?pool_size=\u0661", "pool_size"),
        ("?pool_size=1&pool_size=2", "pool_size"),
        ("?journal_mode=delete", "journal_mode"),
        ("?timeout=5", "timeout"),
        ("?mode=ro", "mode"),
    ],
)
def test_an_option_that_it_cannot_take_is_named(
    place: Place, face: str, query: str, named: str
) -> None:
    with pytest.raises(ConfigError, match=f"'{named}'"):
        place.open(face, query)
    assert place.files() == []


def test_a_directory_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="directory"):
        SessionManager.open(f"sqlite:///{tmp_path / 'no' / 's.db'}", pepper=PEPPER)


def test_a_directory_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    target = tmp_path / "s.db"
    target.mkdir()
    with pytest.raises(BackendUnavailable):
        SessionManager.open(f"sqlite:///{target}", pepper=PEPPER)


def test_a_path_may_hold_any_character(tmp_path: Path) -> None:
    for name in ("a b", "a?b", "a#b", "a%20b", "ä☃", "a'b;c", "%3f"):
        url = URL.create("sqlite", database=str(tmp_path / name)).render_as_string()
        backend = sqlite.open_backend(Secret(url))
        with SessionManager(backend, pepper=PEPPER) as sessions:
            assert sessions.validate(sessions.issue("ann", method="password").token)
            assert (tmp_path / name).exists(), sorted(tmp_path.iterdir())


def test_a_later_change_of_directory_leads_nowhere_else(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with SessionManager.open("sqlite:///relative.db", pepper=PEPPER) as sessions:
        token = sessions.issue("ann", method="password").token
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert sessions.validate(token)
        twenty_operations(sessions)
    assert (tmp_path / "relative.db").exists()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_second_row_of_one_id_is_refused_and_the_first_stays(place: Place) -> None:
    sessions = place.open()
    issued = sessions.issue("ann", method="password")
    backend = place.backend()
    backend.prepare(True)
    record: Record = backend.load(issued.session.id)
    with pytest.raises(DuplicateSession):
        backend.insert(record._replace(user_id="mallory"))
    backend.close()
    assert sessions.validate(issued.token) == issued.session
