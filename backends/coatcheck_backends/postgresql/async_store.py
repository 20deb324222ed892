"""As `store.py`, under asyncio, by way of either driver."""

from __future__ import annotations

from typing import Any

from coatcheck import CoatcheckError

from ..sql.operations import Operation, Result
from .async_drivers import library
from .async_pool import AsyncLink, AsyncPool
from .errors import STATEMENT_GONE, is_lost, is_repeatable, sqlstate, translated
from .faces import SETTLE, is_fitting, parameters_of, patience, statement_for
from .greeting import Identity
from .location import Location


class AsyncStore:
    """Runs operations on the connections of one event loop."""

    def __init__(self, location: Location) -> None:
        self._identity: Identity | None = None
        driver = library(location.driver)
        self._failures = driver.FAILURES
        self._pool = AsyncPool(
            lambda: driver.connect(location), location.pool_size, location.pool_idle
        )

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    async def run(self, operation: Operation[Any]) -> Result:
        """Run it, again if that is safe and may help."""
        first = True
        while True:
            link = await self._pool.take()
            try:
                statement = statement_for(operation, link.greeting)
                if statement is operation.statement.bare and not is_fitting(link.patience):
                    settled = patience()
                    await link.run(SETTLE, (str(settled),))
                    link.patience = settled  # not before: it may fail
                result = await link.run(statement.sql, parameters_of(operation, statement))
            except self._failures as error:
                self._put_away(link, error)
                if not is_repeatable(error, writing=operation.kind.writes, first=first):
                    failure: CoatcheckError = translated(error, writing=operation.kind.writes)
                    break
                first = False
            except BaseException:
                # Cancelled, for one. Whatever the server still does, this connection will
                # not be asked for it.
                self._pool.discard(link)
                raise
            else:
                self._pool.give_back(link)
                return result
        # Outside of the handler, since an error of the driver's may quote a row.
        raise failure

    async def leads_to(self, identity: Identity) -> bool:
        """Whether the connections lead to this run of this server, and to this database."""
        if identity != self._identity:
            link = await self._pool.take()
            self._pool.give_back(link)
            self._identity = link.greeting.identity
        return identity == self._identity

    async def take(self) -> AsyncLink:
        """A connection to migrate with, which is not given back."""
        return await self._pool.take()

    def discard(self, link: AsyncLink) -> None:
        """The end of one that was taken."""
        self._pool.discard(link)

    def _put_away(self, link: AsyncLink, error: Exception) -> None:
        if link.is_whole() and sqlstate(error) not in STATEMENT_GONE:
            self._pool.give_back(link)
        else:
            self._pool.discard(link)
        if is_lost(error):
            # What ended one has ended others: whoever asks again needs a fresh one.
            self._pool.drop_idle()
