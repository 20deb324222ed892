"""The service without a framework."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

from coatcheck import AsyncSessionManager
from coatcheck.web import WebPolicy
from coatcheck.web.asgi import Receive, Scope, Send, SessionMiddleware, auth

from . import CHUNKS, PAUSE, SCOPES


def build(sessions: AsyncSessionManager, policy: WebPolicy) -> object:
    return SessionMiddleware(app, sessions, policy)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """One endpoint after the other; it has no lifespan of its own."""
    if scope["type"] == "lifespan":
        raise NotImplementedError
    if scope["type"] == "websocket":
        await greet(scope, receive, send)
        return
    try:
        await routed(scope, receive, send)
    except RuntimeError:
        user = await user_of(scope)
        await answer(send, {"crashed": user}, status=500)


async def routed(scope: Scope, receive: Receive, send: Send) -> None:
    match scope["method"], scope["path"]:
        case _, "/public":
            await answer(send, "public")
        case _, "/who":
            await answer(send, {"user": await user_of(scope)})
        case _, "/cached":
            headers = [(b"cache-control", b"public, max-age=600"), (b"vary", b"Accept")]
            await answer(send, {"user": await user_of(scope)}, headers)
        case _, "/me":
            session = await auth(scope).require()
            await answer(send, {"user": session.user_id, "scopes": sorted(session.scopes)})
        case method, "/notes":
            session = await auth(scope).require(SCOPES[method == "POST"])
            await answer(send, {"user": session.user_id})
        case _, "/count":
            await answer(send, {"count": await auth(scope).sessions.count()})
        case _, "/crash":
            await auth(scope).session()
            raise RuntimeError("a bug of the service")
        case _, "/stream":
            await stream(scope, send)
        case "POST", "/login":
            body = json.loads((await receive())["body"])
            issued = await auth(scope).sign_in(
                body["user"], method="password", scopes=SCOPES, cookie=body["cookie"]
            )
            await answer(send, {"token": None if body["cookie"] else issued.token})
        case "POST", "/logout":
            await answer(send, {"revoked": await auth(scope).sign_out()})
        case _:
            await answer(send, "no such page", status=404)


async def user_of(scope: Scope) -> str | None:
    session = await auth(scope).session()
    return session.user_id if session else None


async def answer(
    send: Send,
    body: Any,
    headers: Iterable[tuple[bytes, bytes]] = (),
    status: int = 200,
) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


async def stream(scope: Scope, send: Send) -> None:
    user = await user_of(scope)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(CHUNKS):
        await asyncio.sleep(PAUSE)
        again = await user_of(scope)
        chunk = f"{user} {again}\n".encode()
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def greet(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    session = await auth(scope).require()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": session.user_id})
    await send({"type": "websocket.close"})
