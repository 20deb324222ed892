"""The service in Flask."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from flask import Flask, Response, jsonify, request, stream_with_context

from coatcheck import SessionManager
from coatcheck.web import WebPolicy
from coatcheck.web.flask import add_sessions, auth, current_session, require_scopes

from . import CHUNKS, PAUSE, SCOPES


def build(sessions: SessionManager, policy: WebPolicy) -> Flask:
    app = Flask("web_services.flask_service")
    add_sessions(app, sessions, policy)
    for path, methods, view in VIEWS:
        app.add_url_rule(path, view_func=view, methods=methods)
    app.register_error_handler(RuntimeError, crashed)
    return app


def public() -> str:
    return "public"


def user_of() -> str | None:
    session = auth().session()
    return session.user_id if session else None


def who() -> dict[str, Any]:
    return {"user": user_of()}


def cached() -> Response:
    response = jsonify({"user": user_of()})
    response.headers.update({"Cache-Control": "public, max-age=600", "Vary": "Accept"})
    return response


def me() -> dict[str, Any]:
    session = current_session()
    return {"user": session.user_id, "scopes": sorted(session.scopes)}


@require_scopes(SCOPES[0])
def notes() -> dict[str, Any]:
    return {"user": user_of()}


@require_scopes(SCOPES[1])
def add_note() -> dict[str, Any]:
    return {"user": None}


def count() -> dict[str, Any]:
    return {"count": auth().sessions.count()}


def crash() -> None:
    auth().session()
    raise RuntimeError("a bug of the service")


def crashed(error: RuntimeError) -> tuple[dict[str, Any], int]:
    return {"crashed": user_of()}, 500


def stream() -> Response:
    user = user_of()

    @stream_with_context
    def chunks() -> Iterator[str]:
        for _ in range(CHUNKS):
            time.sleep(PAUSE)
            yield f"{user} {user_of()}\n"

    return Response(chunks())


def login() -> dict[str, Any]:
    body = request.get_json()
    issued = auth().sign_in(body["user"], method="password", scopes=SCOPES, cookie=body["cookie"])
    return {"token": None if body["cookie"] else issued.token}


def logout() -> dict[str, Any]:
    return {"revoked": auth().sign_out()}


VIEWS = [
    ("/public", ["GET"], public),
    ("/who", ["GET", "POST"], who),
    ("/cached", ["GET"], cached),
    ("/me", ["GET"], me),
    ("/notes", ["GET"], notes),
    ("/notes", ["POST"], add_note),
    ("/count", ["GET"], count),
    ("/crash", ["GET"], crash),
    ("/stream", ["GET"], stream),
    ("/login", ["POST"], login),
    ("/logout", ["POST"], logout),
]
