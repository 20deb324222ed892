"""Pages of the service in Django REST framework; the others are Django's own."""

from __future__ import annotations

from typing import Any

from django.urls import path
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from coatcheck.web.rest_framework import HasScopes, SessionAuthentication

from . import SCOPES


class Page(APIView):
    authentication_classes = (SessionAuthentication,)


class Who(Page):
    def get(self, request: Request) -> Response:
        return Response({"user": request.auth and request.auth.user_id})

    post = get


class Me(Page):
    permission_classes = (HasScopes,)

    def get(self, request: Request) -> Response:
        return Response({"user": request.user.pk, "scopes": sorted(request.auth.scopes)})


class Own(Me):
    """With the permission that the framework brings, and so its own answer."""

    permission_classes = (IsAuthenticated,)


class Notes(Page):
    permission_classes = (HasScopes,)

    @property
    def required_scopes(self) -> list[str]:
        return [SCOPES[self.request.method == "POST"]]

    def get(self, request: Request) -> Response:
        return Response({"user": request.user.pk})

    post = get


REST_URLS: list[Any] = [
    path("who", Who.as_view()),
    path("me", Me.as_view()),
    path("own", Own.as_view()),
    path("notes", Notes.as_view()),
]
