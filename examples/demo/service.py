"""A web service that signs people in and out; coatcheck keeps its sessions.

Its store and its pepper come from the environment or from `.env`, as everywhere:
run `uvicorn service:app` with COATCHECK_URL and COATCHECK_PEPPER set.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from coatcheck import AsyncSessionManager, BackendError, Session

# A toy: a real service keeps users in a database, and of their passwords only Argon2 hashes.
PASSWORDS = {"ada": "analytical engine", "grace": "nanoseconds"}


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncGenerator[dict[str, Any]]:
    """Open the session manager with the application, and close it after the last request."""
    async with AsyncSessionManager.from_env() as sessions, sessions.purge_every(timedelta(hours=1)):
        yield {"sessions": sessions}


async def login(request: Request) -> Response:
    """Check the password, and hand out a token: the one time that it is seen."""
    try:
        body = await request.json()
        user, password = str(body["user"]), str(body["password"])
    except (ValueError, LookupError, TypeError):
        raise HTTPException(400, "send a JSON object with user and password") from None
    if PASSWORDS.get(user) != password:
        raise HTTPException(401, "wrong user or password", {"WWW-Authenticate": "Bearer"})
    sessions: AsyncSessionManager = request.state.sessions
    about = {"device": request.headers.get("user-agent", "unknown")[:100]}
    issued = await sessions.issue(user, method="password", scopes={"read"}, metadata=about)
    return JSONResponse({"token": issued.token})


async def me(request: Request) -> Response:
    """Who is asking, and what the session may do at this very moment."""
    session = await signed_in(request)
    return JSONResponse(
        {"user": session.user_id, "scopes": sorted(session.scopes), "session": str(session.id)}
    )


async def logout(request: Request) -> Response:
    """End the session. The token is worthless from now on, wherever it may have got to."""
    session = await signed_in(request)
    await request.state.sessions.revoke(session.id)
    return Response(status_code=204)


async def signed_in(request: Request) -> Session:
    """The session of the bearer token, or a 401 that does not say what was wrong with it."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    sessions: AsyncSessionManager = request.state.sessions
    session = await sessions.validate(token if scheme.lower() == "bearer" else "")
    if not session:
        raise HTTPException(401, "not signed in", {"WWW-Authenticate": "Bearer"})
    return session


async def store_failed(_: Request, __: Exception) -> Response:
    """The store cannot be asked: that signs nobody in, and it signs nobody out either."""
    return JSONResponse({"error": "try again"}, 503, headers={"Retry-After": "1"})


routes = [Route("/login", login, methods=["POST"]), Route("/me", me)]
routes += [Route("/logout", logout, methods=["POST"])]
app = Starlette(routes=routes, exception_handlers={BackendError: store_failed}, lifespan=lifespan)
