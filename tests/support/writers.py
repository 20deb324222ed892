"""Processes that write, say so, and are killed in the middle of it."""

from __future__ import annotations

import asyncio
import functools
import importlib
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest.mock import patch

from coatcheck import AsyncSessionManager, Secret, SessionManager
from coatcheck._credentials import peppers
from coatcheck_conformance.clock import Clock
from coatcheck_conformance.faces import BlockingManager
from coatcheck_conformance.relay import RequiredOnly, relay_over
from stages import PEPPERS

Step = tuple[str, int]


def write(
    open_backend: Callable[[Path], object],
    directory: Path,
    steps: list[Step],
    acknowledgements: Connection,
) -> None:
    """Do every step, and send what it gave as soon as the manager has acknowledged it."""
    with _manager(relay_over(open_backend(directory))) as sessions:
        ids: list[Any] = []
        for step, number in steps:
            if step == "issue":
                issued = sessions.issue("user", method="password", scopes={f"scope-{number}"})
                ids.append(issued.session.id)
                acknowledgements.send(issued.token)
                continue
            chosen = ids[number % len(ids)] if ids else None
            if chosen is not None and step == "update":
                sessions.update(chosen, scopes={f"scope-{number}"})
            elif chosen is not None:
                sessions.revoke(chosen)
            acknowledgements.send(step)
        acknowledgements.send("done")
        acknowledgements.recv()  # to be killed before anything is closed in an orderly way


@contextmanager
def _manager(backend: RequiredOnly) -> Iterator[Any]:
    options: dict[str, Any] = {"pepper": PEPPERS[0], "clock": Clock()}
    if not backend.info().asynchronous:
        with SessionManager(backend, **options) as sessions:
            yield sessions
        return
    with asyncio.Runner() as runner:
        face = BlockingManager(AsyncSessionManager(backend, **options), runner)
        face.start()
        yield face
        face.close()


def killed_after(
    number: int, open_backend: Callable[[Path], object], directory: Path, steps: list[Step]
) -> list[str]:
    """Kill a writer with SIGKILL after so many acknowledgements; all that came through."""
    context = _fork_server()
    ours, theirs = context.Pipe()
    writer = context.Process(target=write, args=(open_backend, directory, steps, theirs))
    writer.start()
    theirs.close()
    answers: list[str] = []
    try:
        while len(answers) < number:
            answers.append(ours.recv())
        writer.kill()
        while True:
            answers.append(ours.recv())
    except (EOFError, ConnectionResetError):
        return [answer for answer in answers if answer != "done"]
    finally:
        writer.kill()
        writer.join()
        writer.close()
        ours.close()


@functools.cache
def _fork_server() -> Any:
    """A process with one thread that has imported everything, from which writers are forked."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["writers"])
    # It takes its path from the environment alone.
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), _MARK: "1"}
    with patch.dict(os.environ, environment):
        forkserver.ensure_running()
    return context


_MARK = "COATCHECK_TESTS_FORK_SERVER"

if _MARK in os.environ:
    # No writer stretches a pepper again.
    stretch = peppers._stretch
    cached = functools.cache(lambda phrase: stretch(Secret(phrase)))
    cached(PEPPERS[0].encode())
    peppers._stretch = lambda phrase: cached(phrase.reveal())
    # Nor does it import anything: this opens a store in memory, for what that imports.
    SessionManager.open("sqlite://", pepper=PEPPERS[0]).close()
    for name in ("postgresql", "mongodb"):
        importlib.import_module(f"coatcheck_backends.{name}.backend")
        importlib.import_module(f"coatcheck_backends.{name}.asynchronous")
    for driver in ("asyncpg", "psycopg", "pymongo"):
        importlib.import_module(driver)
