"""What every new connection is asked first, in one round trip, and how the answer is judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from coatcheck import BackendUnavailable, ConfigError

from .location import Location

OLDEST = 140_000
"""The oldest version of the server, as it numbers them."""

IDENTITY = "SELECT pg_postmaster_start_time()::text, current_database()"
"""Tells one run of one server, and one database of it, from any other."""

GREETING = (
    "SELECT pg_postmaster_start_time()::text, current_database()::text, pg_backend_pid(),"
    " pg_is_in_recovery(), current_setting('server_encoding'),"
    " current_setting('server_version_num')::int"
)


Identity = tuple[str, str]

IDENTITY_KEY = "coatcheck: identity"
"""In the `info` of a connection of SQLAlchemy's: which server and database it leads to."""

OTHER_DATABASE = "transaction: it belongs to another database than the manager's"


class Greeted(NamedTuple):
    """What is known of a connection."""

    identity: Identity
    pooled: bool
    """Somebody between us and the server shares its connections out, transaction by
    transaction perhaps: what a statement leaves behind in one is not there for the next."""


def greeted(answer: Sequence[Any], pid: int, location: Location) -> Greeted:
    """Judge the answer.

    :param pid: the server process as the protocol named it when the connection was made. A
        pooler names one of its own invention.

    Raises `BackendUnavailable` for a standby, since it may not have heard of a revocation,
    and `ConfigError` for a server that is too old or a database that is not in UTF-8.
    """
    started, database, real_pid, is_standby, encoding, version = answer
    if version < OLDEST:
        raise ConfigError("postgresql: the server must be version 14 or later")
    if encoding != "UTF8":
        raise ConfigError("postgresql: the database's encoding must be UTF8")
    if is_standby and not location.allow_standby:
        raise BackendUnavailable(
            "postgresql: the server is a standby, which may be late with a revocation; "
            "allow_standby=true accepts that"
        )
    return Greeted((started, database), pooled=real_pid != pid)


def prepares(location: Location, *, pooled: bool) -> bool:
    """Whether statements are prepared on this connection."""
    if location.prepared_statements == "auto":
        return not pooled
    return location.prepared_statements == "always"
