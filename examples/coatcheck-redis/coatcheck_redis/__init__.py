"""Sessions in one Redis or Valkey server, by way of redis-py.

    redis://:…@db.example:6379/0       valkey:// is the same
    rediss://:…@db.example:6379/0      over TLS; valkeys:// likewise

Options of our own in the query: `prefix` (default `coatcheck`) is the hash tag of all keys, and
`durable=true` has `prepare` insist on a server that loses nothing. Others are redis-py's.
"""

from coatcheck import Secret, hookimpl

from .backend import AsyncRedisBackend, RedisBackend
from .location import parse


@hookimpl
def open_backend(url: Secret[str]) -> object:
    """The module hook that the entry point leads to. Opens no connection yet."""
    return RedisBackend(parse(url))


@hookimpl
def open_async_backend(url: Secret[str]) -> object:
    """The same for `AsyncSessionManager`."""
    return AsyncRedisBackend(parse(url))
