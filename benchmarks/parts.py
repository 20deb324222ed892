"""Where the time of a validation goes: its parts, each run by itself over random sessions."""

from __future__ import annotations

import os
import random
import statistics
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any

from coatcheck import Secret, SessionManager
from store import SELECT, Store


def table(store: Store, manager: SessionManager, *, rounds: int, operations: int) -> str:
    """Median microseconds of each part. What is left is flow, driver, deadline, session."""
    connection = store.connect()
    config, hooks = manager._core.config, manager._core.backend.hooks
    tokens = random.sample(store.tokens, operations)
    secrets = [Secret[object](token) for token in tokens]
    named = [config.tokens.read(secret) for secret in secrets]
    records = [(hooks["load"](found[0]), found[1]) for found in named if found]
    keys = [(record.id.bytes,) for record, _ in records]

    parts: dict[str, tuple[Callable[[Any], object], Iterable[Any]]] = {
        "validate": (manager.validate, tokens),
        "load": (hooks["load"], [record.id for record, _ in records]),
        "raw": (lambda key: connection.execute(SELECT, key).fetchone(), keys),
        "file": (os.stat, [str(store.path)] * operations),
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
    took = {name: statistics.median(times) for name, times in found.items()}
    return "\n".join(
        [
            "| part of a validation | µs |",
            "| --- | --: |",
            f"| all of it | {took['validate']:.1f} |",
            f"| the statement, as the raw module runs it | {took['raw']:.1f} |",
            f"| the look at the database file (`os.stat`) | {took['file']:.1f} |",
            f"| connection, row to record | {took['load'] - took['raw'] - took['file']:.1f} |",
            f"| token: spelling, checksum, id | {took['token']:.1f} |",
            f"| hash: PHC string, HMAC, comparison | {took['hash']:.1f} |",
            "| flow, driver, deadline, expiry, session "
            f"| {took['validate'] - took['load'] - took['token'] - took['hash']:.1f} |",
        ]
    )
