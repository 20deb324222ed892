"""django-rest-knox: tokens whose hash alone is stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from .django_project import begin
from .peer import SESSIONS_PER_USER, Peer, Place, named


def open_peer(place: Place) -> Peer:
    """Authenticates the token of an `Authorization` header, which gives the user's row too."""
    begin(place)

    from django.db import connections
    from django.utils import timezone
    from knox.auth import TokenAuthentication
    from knox.crypto import create_token_string, hash_token
    from knox.models import AuthToken
    from knox.settings import CONSTANTS

    expiry = timezone.now() + timedelta(days=14)
    tokens = [create_token_string() for _ in range(place.sessions)]
    AuthToken.objects.bulk_create(
        [
            AuthToken(
                digest=hash_token(token),
                token_key=token[: CONSTANTS.TOKEN_KEY_LENGTH],
                user_id=number // SESSIONS_PER_USER + 1,
                expiry=expiry,
            )
            for number, token in enumerate(tokens)
        ],
        batch_size=1000,
    )

    def validate(chosen: Sequence[str]) -> None:
        for token in chosen:
            user, _ = TokenAuthentication().authenticate_credentials(token.encode())
            assert user.pk

    return Peer(
        named("django-rest-knox", "django-rest-knox"), tokens, validate, connections.close_all
    )
