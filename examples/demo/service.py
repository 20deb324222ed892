"""A web service that signs people in and out, in browsers and in programs; coatcheck keeps its
sessions.

Its store and its pepper come from the environment or from `.env`, as everywhere:
run `uvicorn service:app` with COATCHECK_URL and COATCHECK_PEPPER set.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated

import templates
from fastapi import FastAPI, Form, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel

from coatcheck import AsyncSessionManager
from coatcheck.web import WebPolicy, local_path
from coatcheck.web.fastapi import Auth, CurrentSession, OptionalSession, add_sessions

# A toy: a real service keeps users in a database, and of their passwords only Argon2 hashes.
PASSWORDS = {"ada": "analytical engine", "grace": "nanoseconds"}
SEE_OTHER = 303

sessions = AsyncSessionManager.from_env()


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
    """Purge while the service runs. `add_sessions` has started the manager by then."""
    async with sessions.purge_every(timedelta(hours=1)):
        yield


app = FastAPI(title="The coatcheck demo", lifespan=lifespan)
add_sessions(app, sessions, WebPolicy(login_path="/login"))


def device(request: Request) -> dict[str, str]:
    """What a user may recognise a session by."""
    return {"device": request.headers.get("user-agent", "unknown")[:100]}


# Browsers: pages and forms, with a cookie.


@app.get("/")
async def home(session: CurrentSession, auth: Auth) -> HTMLResponse:
    """Who is signed in, and where else. Nobody else sees it: a browser goes to the login page."""
    everywhere = await auth.sessions.find(user_id=session.user_id, live=True)
    return templates.home(session, everywhere)


@app.get("/login")
async def login_page(
    session: OptionalSession, wanted: Annotated[str, Query(alias="next")] = "/"
) -> Response:
    """A form, for whoever is not signed in."""
    if session:
        return RedirectResponse(local_path(wanted), SEE_OTHER)
    return templates.login(local_path(wanted))


@app.post("/login")
async def login(
    request: Request,
    auth: Auth,
    user: Annotated[str, Form()],
    password: Annotated[str, Form()],
    wanted: Annotated[str, Form(alias="next")] = "/",
) -> Response:
    """Check the password, set the cookie, and go where the browser wanted to go."""
    if PASSWORDS.get(user) != password:
        return templates.login(local_path(wanted), problem="Wrong user or password.")
    await auth.sign_in(user, method="password", scopes={"read"}, metadata=device(request))
    return RedirectResponse(local_path(wanted), SEE_OTHER)


@app.post("/logout")
async def logout(auth: Auth) -> RedirectResponse:
    """End this session. The token is worthless from now on, wherever it may have got to."""
    await auth.sign_out()
    return RedirectResponse("/login", SEE_OTHER)


@app.post("/logout-elsewhere")
async def logout_elsewhere(session: CurrentSession, auth: Auth) -> RedirectResponse:
    """End all of the user's sessions but this one."""
    await auth.sessions.revoke_all(user_id=session.user_id, keep=[session.id])
    return RedirectResponse("/", SEE_OTHER)


# Programs: JSON, with a bearer token.


class Login(BaseModel):
    """What a program sends to sign in."""

    user: str
    password: str


@app.post("/api/login")
async def api_login(given: Login, request: Request, auth: Auth) -> dict[str, str]:
    """Check the password, and hand out a token: the one time that it is seen."""
    if PASSWORDS.get(given.user) != given.password:
        raise HTTPException(401, "wrong user or password", {"WWW-Authenticate": "Bearer"})
    issued = await auth.sign_in(
        given.user, method="password", scopes={"read"}, metadata=device(request), cookie=False
    )
    return {"token": issued.token}


@app.get("/api/me")
async def api_me(session: CurrentSession) -> dict[str, str | list[str]]:
    """Who is asking, and what the session may do at this very moment."""
    return {
        "user": session.user_id,
        "scopes": sorted(session.scopes),
        "session": str(session.id),
    }


@app.post("/api/logout", status_code=204)
async def api_logout(auth: Auth) -> None:
    """End the session."""
    await auth.require()
    await auth.sign_out()
