"""The service in FastAPI."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse

from coatcheck import AsyncSessionManager, Session
from coatcheck.web import WebPolicy
from coatcheck.web.fastapi import (
    Auth,
    CurrentSession,
    OptionalSession,
    add_sessions,
    require_scopes,
)
from coatcheck.web.starlette import auth as auth_of

from . import CHUNKS, PAUSE, SCOPES


def build(sessions: AsyncSessionManager, policy: WebPolicy) -> FastAPI:
    app = FastAPI()
    add_sessions(app, sessions, policy)
    add_pages(app)
    add_signing(app)

    @app.exception_handler(RuntimeError)
    async def crashed(request: Request, error: RuntimeError) -> Response:
        session = await auth_of(request).session()
        return JSONResponse({"crashed": session.user_id if session else None}, 500)

    return app


def add_pages(app: FastAPI) -> None:
    @app.get("/public")
    async def public() -> Response:
        return PlainTextResponse("public")

    @app.get("/who")
    @app.post("/who")
    async def who(session: OptionalSession) -> dict[str, Any]:
        return {"user": session.user_id if session else None}

    @app.get("/cached")
    async def cached(session: OptionalSession, response: Response) -> dict[str, Any]:
        response.headers.update({"Cache-Control": "public, max-age=600", "Vary": "Accept"})
        return {"user": session.user_id if session else None}

    @app.get("/me")
    async def me(session: CurrentSession) -> dict[str, Any]:
        return {"user": session.user_id, "scopes": sorted(session.scopes)}

    @app.get("/notes")
    async def notes(session: Annotated[Session, require_scopes(SCOPES[0])]) -> dict[str, Any]:
        return {"user": session.user_id}

    @app.post("/notes", dependencies=[require_scopes(SCOPES[1])])
    def add_note() -> dict[str, Any]:
        return {"user": None}

    @app.get("/count")
    async def count(auth: Auth) -> dict[str, Any]:
        return {"count": await auth.sessions.count()}

    @app.get("/crash")
    async def crash(session: OptionalSession) -> None:
        raise RuntimeError("a bug of the service")

    @app.get("/stream")
    async def stream(session: OptionalSession, auth: Auth) -> Response:
        user = session.user_id if session else None

        async def chunks() -> AsyncIterator[str]:
            for _ in range(CHUNKS):
                await asyncio.sleep(PAUSE)
                again = await auth.session()
                yield f"{user} {again.user_id if again else None}\n"

        return StreamingResponse(chunks())

    @app.websocket("/socket")
    async def greet(socket: WebSocket, session: CurrentSession) -> None:
        await socket.accept()
        await socket.send_text(session.user_id)
        await socket.close()


def add_signing(app: FastAPI) -> None:
    @app.post("/login")
    async def login(body: dict[str, Any], auth: Auth) -> dict[str, Any]:
        issued = await auth.sign_in(
            body["user"], method="password", scopes=SCOPES, cookie=body["cookie"]
        )
        return {"token": None if body["cookie"] else issued.token}

    @app.post("/logout")
    async def logout(auth: Auth) -> dict[str, Any]:
        return {"revoked": await auth.sign_out()}
