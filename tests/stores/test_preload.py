"""gunicorn --preload opens the manager, and forks its workers from a warm one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from contextlib import suppress
from time import monotonic, sleep
from typing import Any

import pytest

import server_runs

PEPPER = "the pepper of a preloaded service, which is of more than thirty-two bytes"

SERVICE = """
import json, os
from coatcheck import SessionManager

sessions = SessionManager.open(os.environ["URL"], pepper=os.environ["PEPPER"])
token = sessions.issue("before the fork", method="password").token
assert sessions.validate(token)


def app(environ, start_response):
    wanted = environ["PATH_INFO"].strip("/")
    issued = sessions.issue(wanted, method="password")
    session = sessions.validate(issued.token)
    shared = sessions.validate(token)
    answer = [os.getpid(), os.getppid(), session.user_id, shared.user_id]
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(answer).encode()]
"""


def test_gunicorn_with_preload_serves_each_request_its_own_session(
    url: str, tmp_path: Any, unused_port: int
) -> None:
    (tmp_path / "service.py").write_text(SERVICE)
    command = [sys.executable, "-m", "gunicorn", "--preload", "--workers=3", "--threads=4",
               f"--bind=127.0.0.1:{unused_port}", "--log-level=warning", "service:app"]  # fmt: skip
    environment = {**os.environ, "URL": url, "PEPPER": PEPPER}
    with subprocess.Popen(command, cwd=tmp_path, env=environment) as gunicorn:
        try:
            _wait_for(unused_port, gunicorn)
            answers = _asked(unused_port, 60)
            for _ in range(20):
                if len({pid for pid, *_ in answers}) > 1:
                    break
                answers = _asked(unused_port, 60)  # one worker was as quick as all
        finally:
            gunicorn.send_signal(signal.SIGTERM)
    assert [user for _, _, user, _ in answers] == [f"user-{n}" for n in range(60)]
    assert {shared for *_, shared in answers} == {"before the fork"}
    assert {parent for _, parent, *_ in answers} == {gunicorn.pid}
    assert len({pid for pid, *_ in answers}) > 1, "more than one worker was asked"


@pytest.fixture
def unused_port() -> int:
    return server_runs.current().free_port()


def _wait_for(port: int, gunicorn: Any) -> None:
    until = monotonic() + 30
    while gunicorn.poll() is None and monotonic() < until:
        with suppress(OSError):
            _ask(port, "first")
            return
        sleep(0.05)
    raise AssertionError("gunicorn did not answer")


def _ask(port: int, user: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{user}", timeout=10) as answer:
        return json.load(answer)


def _asked(port: int, number: int) -> list[Any]:
    """The answers to so many requests, twelve at a time."""
    answers: list[Any] = [None] * number

    def ask(first: int) -> None:
        for n in range(first, number, 12):
            answers[n] = _ask(port, f"user-{n}")

    threads = [threading.Thread(target=ask, args=(first,)) for first in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers
