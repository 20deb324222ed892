"""Running operations, each a statement and a transaction of its own, on pooled connections."""

from __future__ import annotations

from typing import Any

from coatcheck import CoatcheckError

from ..sql.operations import Operation, Result
from .errors import STATEMENT_GONE, Expired, is_lost, is_repeatable, sqlstate, translated
from .faces import SETTLE, is_fitting, parameters_of, patience, statement_for
from .greeting import Identity
from .links import FAILURES, Link, connect
from .location import Location
from .pool import Pool


class Store:
    """Runs operations from any thread, and in forked children."""

    def __init__(self, location: Location) -> None:
        self._identity: Identity | None = None
        self._pool = Pool(
            lambda seconds: connect(location, seconds), location.pool_size, location.pool_idle
        )

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    def run(self, operation: Operation[Any]) -> Result:
        """Run it, again if that is safe and may help."""
        first = True
        while True:
            link = self._pool.take()
            try:
                statement = statement_for(operation, link.greeting)
                if statement is operation.statement.bare and not is_fitting(link.patience):
                    settled = patience()
                    link.run(SETTLE, (str(settled),))
                    link.patience = settled  # not before: it may fail
                result = link.run(statement.sql, parameters_of(operation, statement))
            except FAILURES as error:
                self._put_away(link, error)
                if not is_repeatable(error, writing=operation.kind.writes, first=first):
                    failure: CoatcheckError = translated(error, writing=operation.kind.writes)
                    break
                first = False
            except BaseException:
                self._pool.discard(link)
                raise
            else:
                self._pool.give_back(link)
                return result
        # Outside of the handler, since an error of the driver's may quote a row.
        raise failure

    def leads_to(self, identity: Identity) -> bool:
        """Whether the connections lead to this run of this server, and to this database."""
        if identity != self._identity:
            link = self._pool.take()
            self._pool.give_back(link)
            self._identity = link.greeting.identity
        return identity == self._identity

    def take(self) -> Link:
        """A connection to migrate with, which is not given back."""
        return self._pool.take()

    def discard(self, link: Link) -> None:
        """The end of one that was taken."""
        self._pool.discard(link)

    def _put_away(self, link: Link, error: Exception) -> None:
        if (
            isinstance(error, Expired)
            or sqlstate(error) in STATEMENT_GONE
            or not link.wire.is_whole()
        ):
            self._pool.discard(link)
        else:
            self._pool.give_back(link)
        if is_lost(error):
            # What ended one has ended others: whoever asks again needs a fresh one.
            self._pool.drop_idle()
