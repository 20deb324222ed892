"""`prepare` and `ping`: the store itself."""

from __future__ import annotations

import time

from . import arguments, output
from .codes import Code
from .opening import open_store


def prepare(*, as_json: arguments.AsJson = False) -> Code:
    """Make the store's schema, or bring it up to date. Safe to repeat.

    The one command that needs the right to create tables.

    With --json: `{"prepared": true}`.
    """
    with open_store(prepare=True):
        pass
    if as_json:
        output.answer_json({"prepared": True})
    else:
        output.answer("the store is ready")
    return Code.YES


def ping(*, as_json: arguments.AsJson = False) -> Code:
    """Ask the store for a sign of life. Exit code 3 if there is none.

    With --json: `{"alive": true, "milliseconds": 0.4}`.
    """
    with open_store() as sessions:
        start = time.perf_counter()
        sessions.ping()
        milliseconds = round((time.perf_counter() - start) * 1000, 1)
    if as_json:
        output.answer_json({"alive": True, "milliseconds": milliseconds})
    else:
        output.answer(f"the store answers in {milliseconds} ms")
    return Code.YES
