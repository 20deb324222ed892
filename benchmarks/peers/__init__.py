"""Other libraries that validate a session's token, each set up as its documentation says."""

from __future__ import annotations

from collections.abc import Callable

from . import django_sessions, fastapi_users, flask_session, key_value, knox
from .peer import Peer, Place

__all__ = ["PEERS", "Peer", "Place"]

Open = Callable[[Place], Peer]

PEERS: dict[str, tuple[Open, ...]] = {
    "sqlite": (
        django_sessions.open_peer,
        knox.open_peer,
        flask_session.open_peer,
        fastapi_users.open_peer,
        key_value.open_peer,
    ),
    "postgresql": (
        django_sessions.open_peer,
        knox.open_peer,
        flask_session.open_peer,
        fastapi_users.open_peer,
        key_value.open_peer,
    ),
    "mongodb": (flask_session.open_peer, key_value.open_peer),
}
"""Those that have the store."""
