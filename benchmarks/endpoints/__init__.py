"""Requests a second of a FastAPI endpoint that needs a session, behind uvicorn.

The service is a process of its own with one endpoint for each contestant, so that all of them
have the same server and the same framework around them:

- `/raw` reads the session's row by the raw driver, by a key in the request, and does nothing with
  it: no token, no hash, no comparison;
- `/ours` has a `CurrentSession`;
- `/ours-and-user` also reads a user's row by the raw driver, as fastapi-users reads one;
- `/fastapi-users` has its `current_user`, with the database strategy.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from random import choice

from databases import Site, Store
from endpoints.load import Load, free_port, wait_for
from rounds import race, ratios, spread

LEAST_OF_RAW = 0.8
LEAST_OF_PEER = 2.0
HEAD = [
    "| endpoint | requests a second | against (lowest to highest) | at least |",
    "| --- | --: | --: | --: |",
]


def figures(store: Store, site: Site, *, rounds: int, seconds: float) -> tuple[str, bool]:
    """A Markdown table, and whether all of it is as wanted."""
    with _served(store, site) as (port, peer_tokens):
        keys = [key.hex if hasattr(key, "bytes") else key.hex() for key in store.keys[:1000]]
        loads = {
            "/raw": Load(port, "/raw", lambda: choice(keys), seconds),
            "/ours": Load(port, "/ours", lambda: choice(store.tokens), seconds),
        }
        if peer_tokens:
            tokens = peer_tokens
            loads["/ours-and-user"] = Load(
                port, "/ours-and-user", lambda: choice(store.tokens), seconds
            )
            loads["/fastapi-users"] = Load(port, "/fastapi-users", lambda: choice(tokens), seconds)
        taken = race({path: load.run for path, load in loads.items()}, rounds=rounds)
    return _table(taken)


def _table(taken: dict[str, list[float]]) -> tuple[str, bool]:
    lines = [*HEAD, _row("the raw read itself", taken["/raw"])]
    against_raw = ratios(taken["/raw"], taken["/ours"])
    held = statistics.median(against_raw) >= LEAST_OF_RAW
    lines.append(
        _row("`CurrentSession`", taken["/ours"], against_raw, "the raw read", LEAST_OF_RAW)
    )
    if "/fastapi-users" in taken:
        lines.append(_row("fastapi-users, `current_user`", taken["/fastapi-users"]))
        against_peer = ratios(taken["/fastapi-users"], taken["/ours-and-user"])
        held = held and statistics.median(against_peer) >= LEAST_OF_PEER
        lines.append(
            _row("`CurrentSession`, and a user's row", taken["/ours-and-user"], against_peer,
                 "fastapi-users", LEAST_OF_PEER)
        )  # fmt: skip
    return "\n".join(lines), held


def _row(
    name: str,
    taken: list[float],
    against: tuple[float, ...] = (),
    whom: str = "",
    least: float | None = None,
) -> str:
    shown = f"{spread(against)} of {whom}" if against else ""
    mark = " **missed**" if least is not None and statistics.median(against) < least else ""
    wanted = "" if least is None else f"{least:g} ×{mark}"
    return f"| {name} | {1e6 / statistics.median(taken):,.0f} | {shown} | {wanted} |"


@contextmanager
def _served(store: Store, site: Site) -> Iterator[tuple[int, list[str]]]:
    """The service's port, and the tokens of the peer if it has the store."""
    from endpoints.service import serve

    context = get_context("fork")
    ours, theirs = context.Pipe()
    port = free_port()
    process = context.Process(target=serve, args=(store, site.url, port, theirs))
    process.start()
    try:
        peer_tokens: list[str] = ours.recv()
        wait_for(port)
        yield port, peer_tokens
    finally:
        process.terminate()
        process.join()
