"""Sessions in MongoDB, by way of pymongo: a replica set, a sharded cluster, or one server.

    mongodb://app:…@db1.example,db2.example/app?replicaSet=rs0
    mongodb+srv://app:…@cluster.example/app

The database is the path's (default `coatcheck`). Options of our own in the query:
`collection` (default `coatcheck_session`) and `strict` (`true`: validations read with read
concern `linearizable`; the reads of one server by itself always are). All others are
pymongo's, but those that would break a law are refused, and so is `timeoutMS`: the time of a
call is the manager's `deadline`.

MongoDB 4.4 or later is needed, and for transactions a replica set or a sharded cluster. Any
number of threads and processes may share a store, forked ones included; an asynchronous
backend belongs to one event loop.
"""

from __future__ import annotations

from coatcheck import Secret, hookimpl


@hookimpl
def open_backend(url: Secret[str]) -> object:
    """The module hook that the entry point leads to. Opens no connection yet."""
    from .backend import MongoBackend
    from .location import parse

    return MongoBackend(parse(url))


@hookimpl
def open_async_backend(url: Secret[str]) -> object:
    """The same for `AsyncSessionManager`."""
    from .asynchronous import AsyncMongoBackend
    from .location import parse

    return AsyncMongoBackend(parse(url))
