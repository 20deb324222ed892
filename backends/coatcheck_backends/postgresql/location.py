"""What a `postgresql:` URL says. Nothing of it is ever echoed: it may hold a password."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from coatcheck import ConfigError, Secret

from .._options import Options
from ..sql.tables import Names

Driver = Literal["psycopg", "asyncpg"]
Prepared = Literal["auto", "always", "never"]

OWN_OPTIONS = (
    "pool_size",
    "pool_idle",
    "schema",
    "table",
    "prepared_statements",
    "allow_standby",
)

# Short enough that the longest name of an index fits into PostgreSQL's 63 bytes.
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,49}")


class Location(NamedTuple):
    """Where the database is, and the options of the URL's query."""

    driver: Driver
    arguments: Secret[Mapping[str, Any]]
    """For the driver's `connect`."""
    names: Names
    pool_size: int
    pool_idle: int
    prepared_statements: Prepared
    allow_standby: bool


def parse(url: Secret[str], *, synchronous: bool = False) -> Location:
    """Read a URL. Raises `ConfigError` that says which part of it is wrong, and `ImportError`
    if the driver is not installed.

    :param synchronous: psycopg it is, even if the URL says asyncpg: the service and the
        `coatcheck` command beside it take the same URL.
    """
    parsed = _parsed(url)
    if parsed is None:
        raise ConfigError("postgresql: the URL cannot be parsed")
    named = _driver(parsed.reveal().drivername)
    driver: Driver = "psycopg" if synchronous else named
    theirs, ours = _divided(parsed)
    options = Options("postgresql", ours, OWN_OPTIONS)
    allow_standby = options.choice("allow_standby", default="false", allowed=("false", "true"))
    prepared: Any = options.choice(
        "prepared_statements", default="auto", allowed=("auto", "always", "never")
    )
    if driver == "asyncpg" and prepared == "never":
        raise ConfigError(
            "postgresql: asyncpg needs prepared statements; without them use postgresql://"
        )
    return Location(
        driver=driver,
        arguments=_arguments(driver, theirs, primary=allow_standby == "false"),
        names=Names(
            table=options.name("table", _NAME) or Names().table,
            schema=options.name("schema", _NAME),
        ),
        pool_size=options.integer("pool_size", default=16, least=1, most=1000),
        pool_idle=options.integer("pool_idle", default=300, least=1, most=86_400),
        prepared_statements=prepared,
        allow_standby=allow_standby == "true",
    )


def _parsed(url: Secret[str]) -> Secret[URL] | None:
    try:
        return Secret(make_url(url.reveal()))
    except (ArgumentError, ValueError):  # it shows the URL, and must be no error's context
        return None


def _driver(name: str) -> Driver:
    if name in ("postgresql", "postgresql+psycopg"):
        return "psycopg"
    if name == "postgresql+asyncpg":
        return "asyncpg"
    raise ConfigError(
        "postgresql: the drivers are psycopg (postgresql://) and asyncpg (postgresql+asyncpg://)"
    )


def _divided(parsed: Secret[URL]) -> tuple[Secret[URL], Secret[Mapping[str, Any]]]:
    """The URL without our own options, and those."""
    url = parsed.reveal()
    ours = {name: value for name, value in url.query.items() if name in OWN_OPTIONS}
    return Secret(url.difference_update_query(list(ours))), Secret(ours)


def _arguments(driver: Driver, url: Secret[URL], *, primary: bool) -> Secret[Mapping[str, Any]]:
    arguments = _of_psycopg if driver == "psycopg" else _of_asyncpg
    given, unknown = arguments(url, primary)
    if given is None:
        named = f" {unknown!r}" if unknown else ""
        raise ConfigError(
            f"postgresql: unknown option{named} (ours: {', '.join(OWN_OPTIONS)}; any other is "
            f"the driver's, and {driver} does not know it)"
        )
    return given


Given = tuple[Secret[Mapping[str, Any]] | None, str]
"""What to connect with; or `None`, and the name of the option that the driver does not know."""


def _of_psycopg(hidden: Secret[URL], primary: bool) -> Given:
    from psycopg import pq
    from sqlalchemy.dialects.postgresql import psycopg as dialects

    dialect: Any = dialects.dialect()  # type: ignore[no-untyped-call]
    arguments: dict[str, Any] = dialect.create_connect_args(hidden.reveal())[1]
    if "ssl" in arguments:  # as asyncpg calls it
        arguments["sslmode"] = arguments.pop("ssl")
    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    for name in arguments:
        if name not in known:
            return None, name
    arguments.setdefault("fallback_application_name", "coatcheck")
    if primary and "," in str(arguments.get("host", "")):
        # Of several hosts the one that is the primary now.
        arguments.setdefault("target_session_attrs", "primary")
    return Secret(arguments), ""


_ASYNCPG = frozenset(
    {
        "host",
        "port",
        "user",
        "password",
        "database",
        "passfile",
        "ssl",
        "direct_tls",
        "target_session_attrs",
        "krbsrvname",
        "gsslib",
    }
)


def _of_asyncpg(hidden: Secret[URL], primary: bool) -> Given:
    from sqlalchemy.dialects.postgresql import asyncpg as dialects

    dialect: Any = dialects.dialect()  # type: ignore[no-untyped-call]
    url = hidden.reveal()
    name_of_us = url.query.get("application_name", "coatcheck")
    url = url.difference_update_query(["application_name"])
    arguments: dict[str, Any] = dialect.create_connect_args(url)[1]
    if "sslmode" in arguments:
        arguments["ssl"] = arguments.pop("sslmode")
    for name in arguments:
        if name not in _ASYNCPG:
            return None, name
    arguments["server_settings"] = {"application_name": str(name_of_us)}
    if primary and isinstance(arguments.get("host"), (list, tuple)):
        arguments.setdefault("target_session_attrs", "primary")
    return Secret(arguments), ""
