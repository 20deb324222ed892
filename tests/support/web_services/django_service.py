"""The service in Django, synchronous and asynchronous, and in Django REST framework."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.test import override_settings
from django.urls import path

from coatcheck import SessionManager
from coatcheck.web import WebPolicy
from coatcheck.web.django import auth, current_session, require_scopes

from . import CHUNKS, PAUSE, SCOPES
from .serving import uvicorn_serving, waitress_serving

MIDDLEWARE = ["coatcheck.web.django.SessionMiddleware"]

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["*"],
        REST_FRAMEWORK={
            "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
            "UNAUTHENTICATED_USER": None,
        },
        INSTALLED_APPS=["rest_framework"],
        LOGGING_CONFIG=None,
        SECRET_KEY="of the tests, for nothing that they use",
    )
    django.setup()


class Pages:
    """What Django calls a URL configuration."""

    def __init__(self, *urlpatterns: Any) -> None:
        self.urlpatterns = urlpatterns
        self.handler500 = crashed


@contextmanager
def configured(pages: Pages, sessions: SessionManager, policy: WebPolicy) -> Iterator[None]:
    """Django's settings are those of the process, so one of its services runs at a time."""
    with override_settings(
        ROOT_URLCONF=pages,
        COATCHECK_MANAGER=sessions,
        COATCHECK_POLICY=policy,
        MIDDLEWARE=MIDDLEWARE,
    ):
        yield


@contextmanager
def serve(sessions: SessionManager, policy: WebPolicy) -> Iterator[int]:
    with configured(Pages(*URLS), sessions, policy), waitress_serving(WSGIHandler()) as port:
        yield port


@contextmanager
def serve_asynchronously(sessions: SessionManager, policy: WebPolicy) -> Iterator[int]:
    pages = Pages(*ASYNC_URLS, *URLS)
    with (
        configured(pages, sessions, policy),
        uvicorn_serving(ASGIHandler(), lifespan="off") as port,
    ):
        yield port


@contextmanager
def serve_rest(sessions: SessionManager, policy: WebPolicy) -> Iterator[int]:
    from .rest_service import REST_URLS

    pages = Pages(*REST_URLS, *URLS)
    with configured(pages, sessions, policy), waitress_serving(WSGIHandler()) as port:
        yield port


def public(request: HttpRequest) -> HttpResponse:
    return HttpResponse("public")


def who(request: Any) -> HttpResponse:
    user = request.session_info.user_id if request.session_info else None
    return JsonResponse({"user": user})


def cached(request: Any) -> HttpResponse:
    user = request.session_info.user_id if request.session_info else None
    headers = {"Cache-Control": "public, max-age=600", "Vary": "Accept"}
    return JsonResponse({"user": user}, headers=headers)


def me(request: HttpRequest) -> HttpResponse:
    session = current_session(request)
    return JsonResponse({"user": session.user_id, "scopes": sorted(session.scopes)})


@require_scopes(SCOPES[0])
def read_notes(request: Any) -> HttpResponse:
    return JsonResponse({"user": request.session_info.user_id})


@require_scopes(SCOPES[1])
def add_note(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"user": None})


def notes(request: HttpRequest) -> HttpResponse:
    return (add_note if request.method == "POST" else read_notes)(request)


def count(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"count": auth(request).sessions.count()})


def crash(request: HttpRequest) -> HttpResponse:
    auth(request).session()
    raise RuntimeError("a bug of the service")


def crashed(request: HttpRequest) -> HttpResponse:
    session = auth(request).session()
    return JsonResponse({"crashed": session.user_id if session else None}, status=500)


def stream(request: Any) -> StreamingHttpResponse:
    user = request.session_info.user_id if request.session_info else None

    def chunks() -> Iterator[str]:
        for _ in range(CHUNKS):
            time.sleep(PAUSE)
            again = auth(request).session()
            yield f"{user} {again.user_id if again else None}\n"

    return StreamingHttpResponse(chunks())


def login(request: HttpRequest) -> HttpResponse:
    body = json.loads(request.body)
    issued = auth(request).sign_in(
        body["user"], method="password", scopes=SCOPES, cookie=body["cookie"]
    )
    return JsonResponse({"token": None if body["cookie"] else issued.token})


def logout(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"revoked": auth(request).sign_out()})


async def async_who(request: Any) -> HttpResponse:
    session = await request.asession_info()
    return JsonResponse({"user": session.user_id if session else None})


@require_scopes()
async def async_me(request: Any) -> HttpResponse:
    session = await request.asession_info()
    return JsonResponse({"user": session.user_id, "scopes": sorted(session.scopes)})


async def async_stream(request: Any) -> StreamingHttpResponse:
    session = await request.asession_info()
    user = session.user_id if session else None

    async def chunks() -> AsyncIterator[str]:
        for _ in range(CHUNKS):
            await asyncio.sleep(PAUSE)
            again = await request.asession_info()
            yield f"{user} {again.user_id if again else None}\n"

    return StreamingHttpResponse(chunks())


URLS = [
    path("public", public),
    path("who", who),
    path("cached", cached),
    path("me", me),
    path("notes", notes),
    path("count", count),
    path("crash", crash),
    path("stream", stream),
    path("login", login),
    path("logout", logout),
]
ASYNC_URLS = [path("who", async_who), path("me", async_me), path("stream", async_stream)]
