"""Seeing how the transaction of a caller's `sqlalchemy.orm.Session` ends.

SQLAlchemy says at every end of a transaction, the innermost first, whether by
commit, rollback or close (`after_transaction_end`), and before that whether it
was committed (`after_commit`, for a released savepoint too). These two are
enough: what was waiting in a released savepoint waits on in the enclosing
transaction, and what was waiting in any other that ended did not survive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, cast

from sqlalchemy import event

from coatcheck import InvalidInput

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.orm import Session, SessionTransaction

Ended = Callable[[bool], None]

_KEY = "coatcheck_backends.watch"


class Waiting(NamedTuple):
    """Somebody who wants to know how the session's root transaction ends."""

    transaction: SessionTransaction
    connection: Callable[[], Connection | None]
    ended: Ended


def watch(session: Session, connection: Callable[[], Connection | None], ended: Ended) -> None:
    """Call `ended` once: True after the commit of the session's root transaction, False once
    the present one, or one around it, is rolled back or closed.

    Never called if the session only joined a transaction that its caller began on
    `connection` (which may become known later): nobody but that caller sees its end.
    """
    watcher = cast("Watch | None", session.info.get(_KEY))
    if watcher is None:
        watcher = session.info[_KEY] = Watch()
        event.listen(session, "after_commit", watcher.after_commit)
        event.listen(session, "after_transaction_end", watcher.after_transaction_end)
    transaction = _innermost(session)
    if transaction is None:
        raise InvalidInput("transaction: the session is not in one")
    watcher.waiting.append(Waiting(transaction, connection, ended))


class Watch:
    """The one watcher of a session, kept in `session.info`, with everyone who waits."""

    def __init__(self) -> None:
        self.waiting: list[Waiting] = []
        self._committed: SessionTransaction | None = None

    def after_commit(self, session: Session) -> None:
        """The innermost transaction, or savepoint, was committed and is about to end."""
        committed = self._committed = _innermost(session)
        if committed is not None and committed.parent is None:
            # A commit of a session that joined an outer transaction commits nothing.
            self.waiting = [w for w in self.waiting if not _goes_on(w.connection())]

    def after_transaction_end(self, session: Session, transaction: SessionTransaction) -> None:  # noqa: ARG002 - SQLAlchemy passes it
        """A transaction ended; told are those whose fate is decided by that."""
        committed = self._committed is transaction
        if committed:
            self._committed = None
        concerned = [w for w in self.waiting if w.transaction is transaction]
        if not concerned:
            return
        self.waiting = [w for w in self.waiting if w.transaction is not transaction]
        if committed and transaction.parent is not None:
            outer = _boundary(transaction.parent)
            self.waiting += [w._replace(transaction=outer) for w in concerned]
            return
        for waiting in concerned:
            waiting.ended(committed)


def _innermost(session: Session) -> SessionTransaction | None:
    return session.get_nested_transaction() or session.get_transaction()


def _boundary(transaction: SessionTransaction) -> SessionTransaction:
    # A flush has a transaction of its own, which is not one in the database.
    while not transaction.nested and transaction.parent is not None:
        transaction = transaction.parent
    return transaction


def _goes_on(connection: Connection | None) -> bool:
    return connection is not None and not connection.closed and connection.in_transaction()
