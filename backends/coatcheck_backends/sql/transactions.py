"""Getting at the connection of a caller's SQLAlchemy transaction.

Statements of ours run on the driver's connection that SQLAlchemy holds: its own execution
would log the parameters when it echoes, and quote them in its errors.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Connection
from sqlalchemy.exc import InvalidRequestError, SQLAlchemyError

from coatcheck import BackendUnavailable, InvalidInput

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

ASYNCHRONOUS = ("AsyncConnection", "AsyncSession", "async_scoped_session")


def connection_source(transaction: Any) -> tuple[Callable[[], Connection], Session | None]:
    """How to get at the caller's connection, and the session if it is one. To be asked anew
    at each statement: a `Session` gives one that may have to begin a savepoint first.

    Raises `InvalidInput` for anything that is not a synchronous transaction of SQLAlchemy's.
    """
    if isinstance(transaction, Connection):
        connection = transaction
        return lambda: connection, None
    # Whoever holds a session has imported this; nobody else needs to.
    orm = sys.modules.get("sqlalchemy.orm")
    if orm is not None and isinstance(transaction, orm.scoped_session):
        transaction = transaction()
    if orm is not None and isinstance(transaction, orm.Session):
        session = cast("Session", transaction)
        return lambda: _connection_of(session), session
    if type(transaction).__name__ in ASYNCHRONOUS:
        raise InvalidInput(
            "transaction: the backend is synchronous; pass a Connection or Session of a "
            "synchronous engine"
        )
    raise InvalidInput("transaction: pass a SQLAlchemy Connection or Session")


def _connection_of(session: Session) -> Connection:
    with sqlalchemy_errors("the session has no usable connection"):
        return session.connection()


@contextmanager
def sqlalchemy_errors(unusable: str) -> Generator[None]:
    """What SQLAlchemy says of a transaction that cannot be used, as an error of ours: closed
    for good, in an error that must be rolled back first, without a bind; or cut off."""
    try:
        yield
    except InvalidRequestError as error:
        raise InvalidInput(f"transaction: {unusable}") from error
    except SQLAlchemyError as error:
        raise BackendUnavailable("the transaction's connection failed") from error


def begin(connection: Connection) -> None:
    """See to it that SQLAlchemy has a transaction."""
    if not connection.in_transaction():
        with sqlalchemy_errors("it has ended"):
            connection.begin()


def dbapi_connection(connection: Connection) -> Any:
    """The driver's connection. Raises `InvalidInput` if there is none."""
    if connection.closed or connection.invalidated:
        raise InvalidInput("transaction: its connection is closed or invalidated")
    with sqlalchemy_errors("it has no connection"):
        return connection.connection.driver_connection
