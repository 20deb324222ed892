"""Sessions for Django REST framework: who is asking, and with which scopes.

    REST_FRAMEWORK = {
        "DEFAULT_AUTHENTICATION_CLASSES": ["coatcheck.web.rest_framework.SessionAuthentication"],
    }

`coatcheck.web.django.SessionMiddleware` must be in MIDDLEWARE.
"""

from __future__ import annotations

from typing import Any

try:
    from rest_framework.authentication import BaseAuthentication
    from rest_framework.permissions import BasePermission
    from rest_framework.request import Request
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "coatcheck.web.rest_framework needs Django REST framework: "
        "pip install 'coatcheck[rest-framework]'"
    ) from error

from .._values import Session
from .django import auth


class SessionUser:
    """Whose session it is, for a service that keeps its users elsewhere."""

    is_authenticated = True
    is_anonymous = False
    is_active = True

    def __init__(self, session: Session) -> None:
        self.session = session

    @property
    def pk(self) -> str:
        """The user's id, as given to `issue`."""
        return self.session.user_id

    def __str__(self) -> str:
        return self.session.user_id


class SessionAuthentication(BaseAuthentication):
    """`request.user` and, as `request.auth`, the `Session`; neither, if nobody is signed in."""

    def authenticate(self, request: Request) -> tuple[Any, Session] | None:
        """As REST framework has it. Raises `Refused`, which the middleware answers."""
        session = auth(request._request).session()
        return None if session is None else (self.user_of(session), session)

    def user_of(self, session: Session) -> Any:
        """The user of a session. Overwrite it to load one of your own, such as
        `User.objects.get(pk=session.user_id)`."""
        return SessionUser(session)

    def authenticate_header(self, request: Request) -> str:
        """The challenge of a 401 for whoever is not signed in."""
        return auth(request._request).exchange.challenge()


class HasScopes(BasePermission):
    """Lets a session pass that has all of the view's `required_scopes`."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """As REST framework has it. Raises `Refused`, which the middleware answers."""
        auth(request._request).require(*getattr(view, "required_scopes", ()))
        return True
