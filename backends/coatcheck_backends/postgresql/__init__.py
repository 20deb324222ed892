"""Sessions in PostgreSQL 14 or later.

    postgresql://user:password@host/database            psycopg 3, for both managers
    postgresql+asyncpg://user:password@host/database    the same, but asyncpg for
                                                        AsyncSessionManager

Options in the query: `pool_size` (connections at most, 1 to 1,000, default 16),
`pool_idle` (seconds after which an idle connection is not trusted any more, 1 to 86,400,
default 300), `schema` and `table` (lower-case names; the default is `coatcheck_session` in
the first schema of the role's search path), `prepared_statements` (`auto`, the default,
which does without them behind a pooler such as PgBouncer; `always`; `never`) and
`allow_standby` (`false`, the default, or `true`: reads may then be late). Everything else,
`sslmode` for example, goes to the driver.

Any number of threads and processes may share a database, forked ones included: a child
makes connections of its own.
"""

from __future__ import annotations

from coatcheck import Secret, hookimpl


@hookimpl
def open_backend(url: Secret[str]) -> object:
    """The module hook that the entry point leads to. Opens no connection yet."""
    from .backend import open_location
    from .location import parse

    return open_location(parse(url, synchronous=True))


@hookimpl
def open_async_backend(url: Secret[str]) -> object:
    """The same for `AsyncSessionManager`."""
    from .asynchronous import open_location
    from .location import parse

    return open_location(parse(url))
