"""Sessions on the web: one policy for every framework, and a thin adapter for each.

An adapter is imported from its own module, `coatcheck.web.asgi`, `.starlette`, `.fastapi`,
`.flask`, `.django` or `.rest_framework`, and needs the extra of that name. This package itself
imports no framework.
"""

from __future__ import annotations

from ._auth import AsyncRequestAuth, RequestAuth
from ._policy.cookies import SessionCookie
from ._policy.navigation import local_path
from ._policy.refusals import RefusalReason, Refused
from ._policy.requests import RequestHead
from ._policy.settings import WebPolicy

__all__ = [
    "AsyncRequestAuth",
    "RefusalReason",
    "Refused",
    "RequestAuth",
    "RequestHead",
    "SessionCookie",
    "WebPolicy",
    "local_path",
]
