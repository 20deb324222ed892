"""Django's sessions in the database, its default: the key in clear, the data signed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from .django_project import begin
from .peer import SESSIONS_PER_USER, Peer, Place, named


def open_peer(place: Place) -> Peer:
    """Loads the session of a key and reads the user's id, as `request.session` does. That
    user's own row, which `request.user` would load, is not read."""
    begin(place)

    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.base import VALID_KEY_CHARS
    from django.contrib.sessions.backends.db import SessionStore
    from django.contrib.sessions.models import Session
    from django.db import connections
    from django.utils import timezone
    from django.utils.crypto import get_random_string

    encode = SessionStore().encode
    expiry = timezone.now() + timedelta(days=14)
    sessions: list[Session] = []
    for user in range(place.users):
        data = {
            SESSION_KEY: str(user + 1),
            BACKEND_SESSION_KEY: "django.contrib.auth.backends.ModelBackend",
            HASH_SESSION_KEY: f"{user:064x}",
        }
        encoded = encode(data)  # signing takes its time, so once a user
        sessions += [
            Session(
                session_key=get_random_string(32, VALID_KEY_CHARS),
                session_data=encoded,
                expire_date=expiry,
            )
            for _ in range(SESSIONS_PER_USER)
        ]
    Session.objects.bulk_create(sessions, batch_size=1000)

    def validate(keys: Sequence[str]) -> None:
        for key in keys:
            assert SessionStore(key)[SESSION_KEY]

    return Peer(
        named("Django sessions", "django"),
        [session.session_key for session in sessions],
        validate,
        connections.close_all,
    )
