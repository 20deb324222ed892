"""Where the time of a validation goes: its parts, each run by itself over random sessions."""

from __future__ import annotations

import os
import random
import statistics
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

from coatcheck import Secret, SessionManager
from databases import Store
from databases.sqlite import SQLiteStore


def table(store: Store, manager: SessionManager, *, rounds: int, operations: int) -> str:
    """Median microseconds of each part. What is left is flow, driver, deadline, session."""
    took = _measured(store, manager, rounds, operations)
    parts = {
        "all of it": took["validate"],
        "load: connection, statement, row to record": took["load"],
        "in it: the look at the database file (`os.stat`)": took["file"],
        "token: spelling, checksum, id": took["token"],
        "hash: PHC string, HMAC, comparison": took["hash"],
        "flow, driver, deadline, expiry, session": (
            took["validate"] - took["load"] - took["token"] - took["hash"]
        ),
        "beside it: the statement, as the raw driver runs it": took["raw"],
    }
    lines = ["| part of a validation | µs |", "| --- | --: |"]
    return "\n".join(lines + [f"| {part} | {time:.1f} |" for part, time in parts.items() if time])


def _measured(
    store: Store, manager: SessionManager, rounds: int, operations: int
) -> dict[str, float]:
    connection = store.raw()
    config, hooks = manager._core.config, manager._core.backend.hooks
    tokens = random.sample(store.tokens, operations)
    secrets = [Secret[object](token) for token in tokens]
    named = [config.tokens.read(secret) for secret in secrets]
    records = [(hooks["load"](found[0]), found[1]) for found in named if found]
    keys = [store.key_of(record.id) for record, _ in records]
    files = [str(store.path)] * operations if isinstance(store, SQLiteStore) else []

    parts: dict[str, tuple[Callable[[Any], object], Sequence[Any]]] = {
        "validate": (manager.validate, tokens),
        "load": (hooks["load"], [record.id for record, _ in records]),
        "raw": (lambda key: connection.read((key,)), keys),
        "file": (os.stat, files),
        "token": (config.tokens.read, secrets),
        "hash": (lambda pair: config.hasher.verify(*pair), records),
    }
    found: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(rounds):
        for name, (work, items) in parts.items():
            start = perf_counter()
            for item in items:
                work(item)
            found[name].append((perf_counter() - start) / operations * 1e6)
    connection.close()
    return {
        name: statistics.median(times) if parts[name][1] else 0.0 for name, times in found.items()
    }
