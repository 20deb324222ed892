"""What a `sqlite:` URL says. Nothing of it is ever echoed: someone may have put a password in."""

from __future__ import annotations

import os
from typing import NamedTuple

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from coatcheck import ConfigError, Secret

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
    parsed = _parsed(url)
    if parsed is None:
        raise ConfigError("sqlite: the URL cannot be parsed")
    problem = _problem(parsed)
    if problem:
        raise ConfigError(f"sqlite: {problem}")
    options = Options("sqlite", Secret(parsed.reveal().query), ("pool_size", "synchronous"))
    database = parsed.reveal().database or ":memory:"
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


def _parsed(url: Secret[str]) -> Secret[URL] | None:
    try:
        return Secret(make_url(url.reveal()))
    except (ArgumentError, ValueError):  # it shows the URL, and must be no error's context
        return None


def _problem(hidden: Secret[URL]) -> str:
    """What is wrong with it. Apart, so that no frame that raises has seen it."""
    url = hidden.reveal()
    if url.drivername not in DRIVERS:
        return "the only driver is sqlite3; the scheme is 'sqlite'"
    if url.username is not None or url.password is not None or url.port is not None:
        return "the URL takes no user, password or port"
    if url.host:
        return "the URL takes no host; a path begins after three slashes"
    if url.database is not None and ("\0" in url.database or url.database.startswith("file:")):
        return "the database must be a plain path, or ':memory:'"
    return ""
