"""Running the migrations on a connection of ours, which knows the deadline."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from coatcheck import CoatcheckError, remaining

from ..sql.tables import Names
from . import schema
from .errors import Expired, translated

if TYPE_CHECKING:
    from .async_store import AsyncStore
    from .store import Store


def migrate(store: Store, names: Names) -> None:
    """Bring the schema up to date. Raises one of our errors."""
    from .bound import cut_off_in_time

    failure: CoatcheckError | None = None
    link = store.take()
    link.connection.autocommit = False
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: link.connection, poolclass=StaticPool
    )
    try:
        with cut_off_in_time(link.connection), engine.begin() as connection:
            schema.make(connection, names)
    except (DBAPIError, Expired) as error:
        failure = _of_migration(error)
    finally:
        store.discard(link)
    if failure is not None:
        raise failure


async def migrate_async(store: AsyncStore, names: Names) -> None:
    """The same for asyncio. SQLAlchemy's own bridge lets Alembic wait for a driver."""
    from sqlalchemy.ext.asyncio import create_async_engine

    failure: CoatcheckError | None = None
    link = await store.take()

    async def connection_of_ours() -> Any:
        return await link.begin_migration()

    engine = create_async_engine(
        f"postgresql+{link.driver}://", async_creator=connection_of_ours, poolclass=StaticPool
    )
    try:
        async with asyncio.timeout(remaining()), engine.begin() as connection:
            await connection.run_sync(schema.make, names)
    except TimeoutError:
        failure = _of_migration(Expired())
    except (DBAPIError, Expired) as error:
        failure = _of_migration(error)
    finally:
        store.discard(link)
    if failure is not None:
        raise failure


def _of_migration(error: Exception) -> CoatcheckError:
    # SQLAlchemy's own error quotes the statement; the driver's does not.
    original = error.orig if isinstance(error, DBAPIError) else error
    return translated(original if isinstance(original, Exception) else error, writing=True)
