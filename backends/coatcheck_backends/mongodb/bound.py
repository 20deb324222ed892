"""Working inside a transaction that the caller began on a session of pymongo's.

A session belongs to its client, so everything here goes through that client, with our codec.
How lasting a commit is, the caller's own write concern decides.
"""

from __future__ import annotations

from typing import Any

from coatcheck import BackendUnavailable, InvalidInput, Unsupported

from .clients import Collections, collections_of
from .location import Location


class CallersClient:
    """The client of the caller's session."""

    def __init__(self, location: Location, session: Any) -> None:
        self._session = session
        self.believed: object = None
        self._collections = collections_of(session.client, location, None)

    @property
    def session(self) -> Any:
        """Goes along with every call."""
        return self._session

    def collections(self) -> Collections:
        """Those of the session's client."""
        return self._collections

    def latest(self) -> None:
        """A transaction does not outlive the primary on which it began."""


def within(
    location: Location, own: Any, transaction: object, wanted: type, other: type
) -> CallersClient:
    """Where a bound backend gets its collections.

    :param own: the backend's own client, of which it is known where it leads.
    :param wanted: the kind of session that fits the backend; `other` fits the other backend.
    :raises InvalidInput: it is no session, of the other kind, in no transaction, or of another
        deployment.
    :raises Unsupported: the deployment is one server by itself.
    """
    if isinstance(transaction, other):
        raise InvalidInput(
            f"transaction: it is of the other kind of client; pass pymongo's {wanted.__name__}"
        )
    if not isinstance(transaction, wanted):
        raise InvalidInput(f"transaction: pass pymongo's {wanted.__name__}")
    session: Any = transaction
    if session.has_ended or not session.in_transaction:
        raise InvalidInput("transaction: call start_transaction() on the session before")
    for client in (own, session.client):
        if "Standalone" in _kinds(client):
            raise Unsupported("mongodb: one server by itself has no transactions; see replica sets")
    if not _places(own) & _places(session.client):
        # Until a server has answered, a client knows only the names that its URL has for them.
        if {"Unknown"} in (_kinds(own), _kinds(session.client)):
            raise BackendUnavailable("mongodb: it is not known yet where the session leads")
        raise InvalidInput("transaction: it belongs to another deployment than the manager's")
    return CallersClient(location, session)


def _kinds(client: Any) -> set[str]:
    servers = client.topology_description.server_descriptions().values()
    return {server.server_type_name for server in servers}


def _places(client: Any) -> set[Any]:
    return set(client.topology_description.server_descriptions())
