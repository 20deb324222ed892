"""Sessions in a SQLite file: the embedded default.

    sqlite:///sessions.db          a file, relative to the working directory at open
    sqlite:////var/lib/app/s.db    a file, absolute
    sqlite://                      in memory, of this process alone

Options in the query: `pool_size` (idle connections that are kept for readers, 1 to
1,000, default 16; readers are never limited) and `synchronous` (`full`, the default,
or `extra`). SQLite 3.35 or later is needed.

Any number of threads and processes may share a file, forked ones included, but not over a
network file system. An in-memory store is gone with its process, and a forked child is told so.
"""

from __future__ import annotations

from coatcheck import Secret, hookimpl


@hookimpl
def open_backend(url: Secret[str]) -> object:
    """The module hook that the entry point leads to. Opens no connection yet."""
    from .backend import open_location
    from .location import parse

    return open_location(parse(url))
