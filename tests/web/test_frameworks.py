"""What each framework's adapter does beside what all of them do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.test import RequestFactory, override_settings
from flask import Flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route

from coatcheck import AsyncSessionManager, ConfigError, SessionManager
from coatcheck.web import Refused, SessionCookie, WebPolicy
from coatcheck.web import django as coatcheck_django
from coatcheck.web import flask as coatcheck_flask
from coatcheck.web import starlette as coatcheck_starlette
from coatcheck.web.asgi import SessionMiddleware, auth
from web_services import Service, django_service, fastapi_service, services
from web_services.serving import uvicorn_serving
from web_worlds import PEPPER, client_of, world

BY_NAME = {service.name: service for service in services()}


@pytest.fixture
def service(request: pytest.FixtureRequest) -> Service:
    return BY_NAME[request.param]


@pytest.fixture
def sessions() -> Iterator[SessionManager]:
    with SessionManager.open("memory:", pepper=PEPPER) as manager:
        yield manager


def document(policy: WebPolicy | None = None) -> dict[str, Any]:
    manager = AsyncSessionManager.open("memory:", pepper=PEPPER)
    return fastapi_service.build(manager, policy or WebPolicy()).openapi()


def security(described: dict[str, Any], method: str, path: str) -> Any:
    return described["paths"][path][method].get("security")


def test_fastapi_documents_how_a_session_is_presented_and_which_scopes_it_needs() -> None:
    described = document()
    schemes = described["components"]["securitySchemes"]
    assert schemes["SessionToken"] == {"type": "http", "scheme": "bearer"}
    assert schemes["SessionCookie"] == {"type": "apiKey", "in": "cookie", "name": "__Host-session"}
    either = [{"SessionToken": []}, {"SessionCookie": []}]
    assert security(described, "get", "/me") == either
    scopes = [{"SessionToken": ["notes:write"]}, {"SessionCookie": ["notes:write"]}]
    assert security(described, "post", "/notes") == scopes
    assert security(described, "get", "/public") is security(described, "get", "/who") is None


def test_fastapi_documents_no_more_than_the_policy_takes() -> None:
    bearer_only = document(WebPolicy(cookie=None))
    assert list(bearer_only["components"]["securitySchemes"]) == ["SessionToken"]
    assert security(bearer_only, "get", "/me") == [{"SessionToken": []}]
    cookie_only = document(WebPolicy(bearer=False, cookie=SessionCookie(name="s", secure=False)))
    [(name, scheme)] = cookie_only["components"]["securitySchemes"].items()
    assert (name, scheme["name"]) == ("SessionCookie", "s")
    assert security(cookie_only, "post", "/notes") == [{"SessionCookie": ["notes:write"]}]


def test_an_application_may_answer_a_refusal_with_a_page_of_its_own() -> None:
    async def me(request: Request) -> Response:
        await coatcheck_starlette.current_session(request)
        raise AssertionError

    async def own_page(request: Request, refused: Exception) -> Response:
        assert isinstance(refused, Refused)
        return HTMLResponse("<h1>Who are you?", refused.status, dict(refused.headers[:-1]))

    app = Starlette(routes=[Route("/me", me)], exception_handlers={Refused: own_page})
    coatcheck_starlette.add_sessions(app, AsyncSessionManager.open("memory:", pepper=PEPPER))
    with uvicorn_serving(app) as port, client_of(port) as client:
        answer = client.get("/me")
    assert (answer.status_code, answer.text) == (401, "<h1>Who are you?")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_application_inside_another_has_its_own_policy() -> None:
    async def me(request: Request) -> Response:
        session = await coatcheck_starlette.current_session(request)
        return HTMLResponse(session.user_id)

    inner, outer = Starlette(routes=[Route("/me", me)]), Starlette()
    manager = AsyncSessionManager.open("memory:", pepper=PEPPER)
    outer.routes.extend([Route("/me", me), Mount("/inner", inner)])
    coatcheck_starlette.add_sessions(outer, manager, WebPolicy(realm="outer"))
    coatcheck_starlette.add_sessions(inner, manager, WebPolicy(realm="inner", login_path="/in"))
    with uvicorn_serving(outer) as port, client_of(port) as client:
        outside, inside = client.get("/me"), client.get("/inner/me?a=b")
        page = client.get("/inner/me?a=b", headers={"Sec-Fetch-Mode": "navigate"})
    assert outside.headers["WWW-Authenticate"] == 'Bearer realm="outer"'
    assert inside.headers["WWW-Authenticate"] == 'Bearer realm="inner"'
    assert page.headers["Location"] == "/in?next=%2Finner%2Fme%3Fa%3Db"


def test_a_policy_without_bearer_tokens_challenges_with_another_scheme() -> None:
    async def needs_a_session(scope: Any, receive: Any, send: Any) -> None:
        await auth(scope).require()

    manager = AsyncSessionManager.open("memory:", pepper=PEPPER)
    policy = WebPolicy(bearer=False, realm="app")
    app = SessionMiddleware(needs_a_session, manager, policy)
    with uvicorn_serving(app) as port, client_of(port) as client:
        answer = client.get("/", headers={"Authorization": "Bearer whatever it is"})
    assert answer.headers["WWW-Authenticate"] == 'Cookie realm="app"'


def test_flask_takes_nobody_for_the_one_before_where_its_context_is_shared(
    sessions: SessionManager,
) -> None:
    """As it is in a test, or in a shell, that pushed the application's context."""
    app = Flask("web_services.flask_service")
    coatcheck_flask.add_sessions(app, sessions)
    app.add_url_rule("/me", view_func=lambda: coatcheck_flask.current_session().user_id)
    token = sessions.issue("ann", method="password").token
    with app.app_context():
        client = app.test_client()
        first = client.get("/me", headers={"Authorization": f"Bearer {token}"})
        assert (first.status_code, first.text) == (200, "ann")
        assert client.get("/me").status_code == 401


def test_flask_says_what_was_forgotten() -> None:
    app = Flask("web_services.flask_service")
    with app.test_request_context(), pytest.raises(RuntimeError, match="add_sessions"):
        coatcheck_flask.auth()


def test_django_says_what_was_forgotten() -> None:
    with pytest.raises(RuntimeError, match="MIDDLEWARE"):
        coatcheck_django.auth(RequestFactory().get("/"))


NAMED = SessionManager.open("memory:", pepper=PEPPER)
NAMED_POLICY = WebPolicy(realm="named")


def test_django_takes_the_manager_and_the_policy_by_their_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "named_for_django", sys.modules[__name__])
    token = NAMED.issue("ann", method="password").token
    with override_settings(
        MIDDLEWARE=django_service.MIDDLEWARE,
        ROOT_URLCONF=django_service.Pages(*django_service.URLS),
        COATCHECK_MANAGER="named_for_django.NAMED",
        COATCHECK_POLICY="named_for_django.NAMED_POLICY",
    ):
        answered = WSGIHandler().get_response(
            RequestFactory().get("/me", headers={"Authorization": f"Bearer {token}"})
        )
        refused = WSGIHandler().get_response(RequestFactory().get("/me"))
    assert answered.status_code == 200
    assert refused.headers["WWW-Authenticate"] == 'Bearer realm="named"'


def test_django_opens_the_manager_of_the_environment_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COATCHECK_URL", "sqlite:///sessions.db")
    monkeypatch.setenv("COATCHECK_PEPPER", PEPPER)
    coatcheck_django._manager_of_the_environment.cache_clear()
    first, second = (coatcheck_django.SessionMiddleware(HttpResponse) for _ in range(2))
    assert first._sessions is second._sessions
    with first._sessions as sessions:
        sessions.ping()
    coatcheck_django._manager_of_the_environment.cache_clear()


@pytest.mark.parametrize(
    "wrong", [{"COATCHECK_MANAGER": object()}, {"COATCHECK_POLICY": {"bearer": True}}]
)
def test_django_refuses_a_wrong_setting_by_its_name(
    sessions: SessionManager, wrong: dict[str, Any]
) -> None:
    [name] = wrong
    settings = override_settings(**({"COATCHECK_MANAGER": sessions} | wrong))
    with settings, pytest.raises(ConfigError, match=name):
        coatcheck_django.SessionMiddleware(HttpResponse)


@pytest.mark.parametrize("service", ["rest-framework"], indirect=True)
def test_rest_framework_challenges_by_itself_in_the_same_words(
    service: Service, tmp_path: Path
) -> None:
    with world(service, tmp_path) as here:
        nobody = here.client.get("/own")
        revoked = {"Cookie": f"__Host-session={here.token('revoked')}"}
        ended = here.client.get("/own", headers=revoked)
        somebody = here.client.get("/own", headers={"Authorization": f"Bearer {here.token()}"})
    assert nobody.headers["WWW-Authenticate"] == "Bearer"
    assert ended.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert (nobody.status_code, ended.status_code, somebody.status_code) == (401, 401, 200)


def test_importing_the_policy_imports_no_framework() -> None:
    code = "import sys, coatcheck.web; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {"starlette", "fastapi", "flask", "django", "rest_framework", "asyncio"}
