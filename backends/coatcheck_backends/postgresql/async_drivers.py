"""The drivers that can be used under asyncio. Each is a module of its own, with the same names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

from ..sql.operations import Result
from .location import Driver, Location

if TYPE_CHECKING:
    from .async_pool import AsyncLink


class Library(Protocol):
    """What such a module has."""

    FAILURES: tuple[type[Exception], ...]
    """All that the driver raises."""

    async def connect(self, location: Location) -> AsyncLink:
        """A connection of our own."""
        ...

    async def run_inside(self, driver: Any, sql: str, parameters: tuple[object, ...]) -> Result:
        """Run one statement in a caller's transaction, and cut its connection off at the
        deadline."""
        ...

    def begins_late(self, driver: Any) -> bool:
        """Whether SQLAlchemy has to be made to begin."""
        ...

    def is_in_transaction(self, driver: Any) -> bool:
        """Whether a statement will be part of one."""
        ...

    def is_closed(self, driver: Any) -> bool:
        """It is of no use any more."""
        ...


def library(driver: Driver) -> Library:
    """Import the one that is asked for. Raises `ImportError` if it is not installed."""
    if driver == "asyncpg":
        from . import async_asyncpg

        return cast("Library", async_asyncpg)
    from . import async_psycopg

    return cast("Library", async_psycopg)
