"""The SQL that the SQLite backend really runs, by hook, and what SQLite plans to do with it."""

from __future__ import annotations

import sqlite3
from typing import Any, NamedTuple

import pytest

from coatcheck_backends.sqlite import connections
from coatcheck_conformance.relay import Relay


class Run(NamedTuple):
    """One statement."""

    connection: int
    sql: str
    parameters: tuple[Any, ...]

    @property
    def verb(self) -> str:
        return self.sql.split(None, 1)[0].upper()


class Recorder:
    """Every statement on every connection to a file, from here on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.runs: list[Run] = []
        self.by_hook: list[tuple[str, list[Run]]] = []
        recorder = self

        class Cursor(sqlite3.Cursor):
            def execute(self, sql: str, parameters: Any = (), /) -> Any:
                recorder.runs.append(Run(id(self.connection), sql, tuple(parameters)))
                return super().execute(sql, parameters)

        def cursor(self: Any) -> sqlite3.Cursor:
            return sqlite3.Connection.cursor(self, Cursor)

        def execute(self: Any, sql: str, parameters: Any = (), /) -> Any:
            return cursor(self).execute(sql, parameters)

        monkeypatch.setattr(connections.Connection, "cursor", cursor, raising=False)
        monkeypatch.setattr(connections.Connection, "execute", execute, raising=False)

    def take(self) -> list[Run]:
        """What ran since the last time."""
        runs, self.runs = self.runs, []
        self.by_hook.clear()
        return runs

    def take_by_hook(self) -> list[tuple[str, list[Run]]]:
        """The same, by the hook in which it ran."""
        by_hook, self.by_hook = self.by_hook, []
        self.runs.clear()
        return by_hook


class Recorded(Relay):
    """Tells a recorder in which hook a statement ran."""

    def __init__(self, backend: object, recorder: Recorder) -> None:
        super().__init__(backend)
        self.recorder = recorder

    def _pass(self, hook: str, *args: Any) -> Any:
        before = len(self.recorder.runs)
        try:
            return super()._pass(hook, *args)
        finally:
            self.recorder.by_hook.append((hook, self.recorder.runs[before:]))


def plan_of(connection: sqlite3.Connection, run: Run) -> list[str]:
    """What SQLite says it would do."""
    explained = connection.execute(f"EXPLAIN QUERY PLAN {run.sql}", run.parameters)
    return [row[3] for row in explained]


def steps_of(connection: sqlite3.Connection, run: Run) -> int:
    """How many steps of SQLite's machine it takes."""
    steps = [0]

    def count() -> None:
        steps[0] += 1

    connection.set_progress_handler(count, 1)
    try:
        connection.execute(run.sql, run.parameters).fetchall()
    finally:
        connection.set_progress_handler(None, 0)
    return steps[0]
