"""What a `sqlite:` URL says. Nothing of it is ever echoed: someone may have put a password in."""

from __future__ import annotations

import os
from typing import NamedTuple

from coatcheck import ConfigError, Secret
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from .._options import Options

DRIVERS = ("sqlite", "sqlite+pysqlite")


class Location(NamedTuple):
    """Where the database is, and the options of the URL's query."""

    path: str | None
    """Absolute, so that a later `chdir` does not lead elsewhere; `None` is in memory."""
    pool_size: int
    synchronous: str


def parse(url: Secret[str]) -> Location:
    """Read a URL. Raises `ConfigError` that says which part of it is wrong."""
    try:
        parsed = make_url(url.reveal())
    except (ArgumentError, ValueError):
        # ArgumentError shows the URL.
        raise ConfigError("sqlite: the URL cannot be parsed") from None
    if parsed.drivername not in DRIVERS:
        raise ConfigError("sqlite: the only driver is sqlite3; the scheme is 'sqlite'")
    if parsed.username is not None or parsed.password is not None or parsed.port is not None:
        raise ConfigError("sqlite: the URL takes no user, password or port")
    if parsed.host:
        raise ConfigError("sqlite: the URL takes no host; a path begins after three slashes")
    database = parsed.database or ":memory:"
    if "\0" in database or database.startswith("file:"):
        raise ConfigError("sqlite: the database must be a plain path, or ':memory:'")
    options = Options("sqlite", parsed.query, ("pool_size", "synchronous"))
    return Location(
        path=None if database == ":memory:" else os.path.abspath(database),
        pool_size=options.integer("pool_size", default=16, least=1, most=1000),
        synchronous=options.choice(
            "synchronous",
            default="full",
            allowed=("full", "extra"),
            why="with less, a crash could undo a revocation that was acknowledged",
        ),
    )
