"""One small service in each framework, with the same endpoints, behind its real server.

GET  /public   asks for no session
GET  /who      {"user": …}, or null for nobody
GET  /me       {"user": …, "scopes": […]}; needs a session
GET  /notes    needs the scope notes:read; POST, the scope notes:write
GET  /cached   as /who, and asks caches to keep it
GET  /count    asks the manager itself
GET  /crash    looks who is asking, then raises; its handler says who it was
GET  /stream   whose it is, ten times, a little later each
POST /login    {"user": …, "cookie": true or false}: signs in
POST /logout   signs out
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from .serving import uvicorn_serving, waitress_serving

SCOPES = ("notes:read", "notes:write")
CHUNKS = 10
PAUSE = 0.005
"""Seconds between the chunks of a stream."""


class Service(NamedTuple):
    """How to serve it: with a manager of the kind that the framework takes."""

    name: str
    is_asynchronous: bool
    serve: Callable[..., AbstractContextManager[int]]
    """With the manager and the policy; gives the port."""


def _service(name: str, is_asynchronous: bool, build: Callable[..., Any]) -> Service:
    serving = uvicorn_serving if is_asynchronous else waitress_serving
    return Service(name, is_asynchronous, lambda *given: serving(build(*given)))


def services() -> list[Service]:
    """All of them."""
    from . import asgi_service, django_service, fastapi_service, flask_service, starlette_service

    return [
        _service("asgi", True, asgi_service.build),
        _service("starlette", True, starlette_service.build),
        _service("fastapi", True, fastapi_service.build),
        _service("flask", False, flask_service.build),
        Service("django", False, django_service.serve),
        Service("django-async", False, django_service.serve_asynchronously),
        Service("rest-framework", False, django_service.serve_rest),
    ]
