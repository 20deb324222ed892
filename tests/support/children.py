"""Forked children of the test itself, and a guard over who uses whose connection."""

from __future__ import annotations

import os
import pickle
import sqlite3
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from coatcheck_backends.sqlite import connections


class Child:
    """A forked process at work; `answer` waits for what it found."""

    def __init__(self, work: Callable[[], Any]) -> None:
        reading, writing = os.pipe()
        with warnings.catch_warnings():
            # Python 3.12 warns of a fork beside threads, which is what is tried here.
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = os.fork()
        if self.pid == 0:
            os.close(reading)
            try:
                answer: Any = ("answer", work())
            except BaseException:  # noqa: BLE001 - told to the parent, which fails with it
                answer = ("failure", traceback.format_exc())
            try:
                with os.fdopen(writing, "wb") as pipe:
                    pickle.dump(answer, pipe)
            finally:
                os._exit(0)
        os.close(writing)
        self._pipe = os.fdopen(reading, "rb")

    def answer(self) -> Any:
        with self._pipe:
            said = self._pipe.read()
        os.waitpid(self.pid, 0)
        kind, answer = pickle.loads(said)
        assert kind == "answer", f"in the child:\n{answer}"
        return answer


def in_child(work: Callable[[], Any]) -> Any:
    """What a function gives in a forked child."""
    return Child(work).answer()


def guard_connections(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """From here on a connection of the backend refuses to work in any but its own process.

    Gives a list to which every connection adds the process that opened it.
    """
    opened: list[int] = []
    made_by: dict[int, int] = {}
    connect = connections.connect

    def connect_here(path: str) -> Any:
        connection = connect(path)
        opened.append(os.getpid())
        made_by[id(connection)] = os.getpid()
        return connection

    def execute(self: Any, *args: Any) -> Any:
        owner = made_by.get(id(self), os.getpid())
        assert owner == os.getpid(), "a connection of another process is used"
        return sqlite3.Connection.execute(self, *args)

    monkeypatch.setattr(connections, "connect", connect_here)
    monkeypatch.setattr(connections.Connection, "execute", execute, raising=False)
    return opened
