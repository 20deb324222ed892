"""py-key-value: a key in clear and its value, without a hash, a user or a list of sessions."""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from key_value.aio.stores.base import BaseContextManagerStore, BaseStore

from .peer import SESSIONS_PER_USER, Peer, Place, named

COLLECTION = "sessions"
LIFETIME_SECONDS = int(timedelta(days=30).total_seconds())
CHUNK = 1000

# Its stores on servers are unstable by its own word, and every one says so once.
warnings.filterwarnings("ignore", "A configured store is unstable")


class Store(BaseContextManagerStore, BaseStore):
    """What its stores have in common, for the type."""


def open_peer(place: Place) -> Peer:
    """Gets the value of a key. Its store on SQLite is the one on diskcache."""
    store = _store(place)
    tokens = [secrets.token_urlsafe(32) for _ in range(place.sessions)]
    place.runner.run(_fill(store, tokens))

    async def get(chosen: Sequence[str]) -> None:
        for token in chosen:
            session = await store.get(token, collection=COLLECTION)
            assert session is not None
            assert session["user"]

    return Peer(
        named("py-key-value", "py-key-value-aio"),
        tokens,
        lambda chosen: place.runner.run(get(chosen)),
        lambda: place.runner.run(store.close()),
        asynchronous=True,
    )


def _store(place: Place) -> Store:
    if place.store == "sqlite":
        from key_value.aio.stores.disk import DiskStore

        return DiskStore(directory=Path(place.url) / "key_value")
    if place.store == "postgresql":
        from key_value.aio.stores.postgresql import PostgreSQLStore

        return PostgreSQLStore(url=place.url)
    from key_value.aio.stores.mongodb import MongoDBStore

    return MongoDBStore(url=place.url)


async def _fill(store: Store, tokens: Sequence[str]) -> None:
    await store.setup()
    for start in range(0, len(tokens), CHUNK):
        chunk = tokens[start : start + CHUNK]
        values = [
            {
                "user": f"user-{number // SESSIONS_PER_USER}",
                "method": "password",
                "scopes": ["read", "write"],
                "metadata": {"ip": "192.0.2.7", "device": "Firefox on Linux"},
            }
            for number in range(start, start + len(chunk))
        ]
        await store.put_many(chunk, values, collection=COLLECTION, ttl=LIFETIME_SECONDS)
