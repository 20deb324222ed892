"""The service in Starlette."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from coatcheck import AsyncSessionManager
from coatcheck.web import WebPolicy
from coatcheck.web.starlette import add_sessions, auth, current_session, require_scopes

from . import CHUNKS, PAUSE, SCOPES


def build(sessions: AsyncSessionManager, policy: WebPolicy) -> object:
    app = Starlette(routes=ROUTES, exception_handlers={RuntimeError: crashed})
    add_sessions(app, sessions, policy)
    return app


async def public(request: Request) -> Response:
    return PlainTextResponse("public")


async def user_of(request: Request) -> str | None:
    session = await auth(request).session()
    return session.user_id if session else None


async def who(request: Request) -> Response:
    return JSONResponse({"user": await user_of(request)})


async def cached(request: Request) -> Response:
    headers = {"Cache-Control": "public, max-age=600", "Vary": "Accept"}
    return JSONResponse({"user": await user_of(request)}, headers=headers)


async def me(request: Request) -> Response:
    session = await current_session(request)
    return JSONResponse({"user": session.user_id, "scopes": sorted(session.scopes)})


@require_scopes(SCOPES[0])
async def notes(request: Request) -> Response:
    return JSONResponse({"user": await user_of(request)})


@require_scopes(SCOPES[1])
def add_note(request: Request) -> Response:
    return JSONResponse({"user": None})


async def count(request: Request) -> Response:
    return JSONResponse({"count": await auth(request).sessions.count()})


async def crash(request: Request) -> Response:
    await auth(request).session()
    raise RuntimeError("a bug of the service")


async def crashed(request: Request, error: Exception) -> Response:
    return JSONResponse({"crashed": await user_of(request)}, 500)


async def stream(request: Request) -> Response:
    user = await user_of(request)

    async def chunks() -> AsyncIterator[str]:
        for _ in range(CHUNKS):
            await asyncio.sleep(PAUSE)
            yield f"{user} {await user_of(request)}\n"

    return StreamingResponse(chunks())


async def login(request: Request) -> Response:
    body = await request.json()
    issued = await auth(request).sign_in(
        body["user"], method="password", scopes=SCOPES, cookie=body["cookie"]
    )
    return JSONResponse({"token": None if body["cookie"] else issued.token})


async def logout(request: Request) -> Response:
    return JSONResponse({"revoked": await auth(request).sign_out()})


async def greet(socket: WebSocket) -> None:
    session = await current_session(socket)
    await socket.accept()
    await socket.send_text(session.user_id)
    await socket.close()


ROUTES = [
    Route("/public", public),
    Route("/who", who, methods=["GET", "POST"]),
    Route("/cached", cached),
    Route("/me", me),
    Route("/notes", notes, methods=["GET"]),
    Route("/notes", add_note, methods=["POST"]),
    Route("/count", count),
    Route("/crash", crash),
    Route("/stream", stream),
    Route("/login", login, methods=["POST"]),
    Route("/logout", logout, methods=["POST"]),
    WebSocketRoute("/socket", greet),
]
