"""What only ASGI has: WebSockets, the lifespan of an application, and errors on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from coatcheck import AsyncSessionManager, ManagerClosed
from coatcheck.web.asgi import Message, Receive, Scope, Send, SessionMiddleware, auth
from web_services import Service, services
from web_services.serving import uvicorn_serving
from web_worlds import COOKIE, PEPPER, World, client_of

ASGI = [service for service in services() if service.is_asynchronous]


@pytest.fixture(scope="session", params=ASGI, ids=lambda service: service.name)
def service(request: pytest.FixtureRequest) -> Service:
    return request.param


def greeted(here: World, **headers: str) -> str | int:
    """What the socket says first, or the status of its refusal."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with connect(f"ws://127.0.0.1:{here.port}/socket", additional_headers=given) as socket:
            return socket.recv()
    except InvalidStatus as error:
        refused = error.response
    assert refused.headers["Cache-Control"] == "no-store"
    return refused.status_code


def test_a_socket_knows_whose_it_is(here: World) -> None:
    assert greeted(here, Authorization=f"Bearer {here.token()}") == "ann"
    assert greeted(here, Cookie=f"{COOKIE}={here.token()}", Sec_Fetch_Site="same-origin") == "ann"


def test_a_socket_is_refused_like_a_request(here: World) -> None:
    assert greeted(here) == 401
    assert greeted(here, Accept="text/html", Sec_Fetch_Mode="navigate") == 401
    assert greeted(here, Authorization=f"Bearer {here.token('revoked')}") == 401
    assert greeted(here, Authorization="Bearer") == 400
    here.store.share = 1.0
    assert greeted(here, Authorization=f"Bearer {here.token()}") == 503


def test_a_page_elsewhere_opens_no_socket_with_our_cookie(here: World) -> None:
    """A browser asks no server before it opens one, and sends the cookie along."""
    cookie = f"{COOKIE}={here.token()}"
    assert greeted(here, Cookie=cookie) == 403
    assert greeted(here, Cookie=cookie, Origin="https://evil.example") == 403
    assert greeted(here, Cookie=cookie, Sec_Fetch_Site="same-site") == 403
    assert greeted(here, Cookie=cookie, Origin=f"http://127.0.0.1:{here.port}") == "ann"


async def refuses_sockets(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await auth(scope).require()


def test_a_server_that_cannot_refuse_a_handshake_in_words_closes_it() -> None:
    async def main() -> list[Message]:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            return {"type": "websocket.connect"}

        async with AsyncSessionManager.open("memory:", pepper=PEPPER) as sessions:
            app = SessionMiddleware(refuses_sockets, sessions)
            scope = {"type": "websocket", "path": "/", "headers": []}
            await app(scope, receive, send)
        return sent

    assert asyncio.run(main()) == [{"type": "websocket.close", "code": 1008}]


class Living:
    """An application whose start and end can fail; notes what its manager could do by then."""

    def __init__(self, sessions: AsyncSessionManager, fails_at: str | None = None) -> None:
        self.sessions = sessions
        self.fails_at = fails_at
        self.seen: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while scope["type"] == "lifespan":
            message = await receive()
            await self.sessions.count()
            self.seen.append(message["type"])
            if message["type"] == self.fails_at:
                await send({"type": f"{self.fails_at}.failed", "message": "as the test wants"})
                return
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return


class Server:
    """The server's side of a lifespan."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.was_closed = False

    async def run(self, app: Any, sessions: AsyncSessionManager) -> None:
        messages = iter(["lifespan.startup", "lifespan.shutdown"])

        async def receive() -> Message:
            return {"type": next(messages)}

        async def send(message: Message) -> None:
            self.told.append(message["type"])
            if message["type"].startswith("lifespan.shutdown"):
                try:
                    await sessions.ping()
                except ManagerClosed:
                    self.was_closed = True

        await app({"type": "lifespan"}, receive, send)


def lived(fails_at: str | None = None) -> tuple[Living, Server]:
    sessions = AsyncSessionManager.open("memory:", pepper=PEPPER)
    living, server = Living(sessions, fails_at), Server()
    asyncio.run(server.run(SessionMiddleware(living, sessions), sessions))
    return living, server


def test_the_manager_lives_as_long_as_the_application_and_ends_before_the_server_hears_of_it() -> (
    None
):
    living, server = lived()
    assert living.seen == ["lifespan.startup", "lifespan.shutdown"]
    assert server.told == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert server.was_closed


@pytest.mark.parametrize("fails_at", ["lifespan.startup", "lifespan.shutdown"])
def test_an_application_that_fails_is_heard_and_the_manager_is_closed(fails_at: str) -> None:
    living, server = lived(fails_at)
    assert server.told[-1] == f"{fails_at}.failed"
    with pytest.raises(ManagerClosed):
        asyncio.run(living.sessions.ping())


def test_a_store_that_is_not_ready_stops_the_start_with_a_reason(tmp_path: Path) -> None:
    missing = f"sqlite:///{tmp_path / 'sessions.db'}"
    sessions = AsyncSessionManager.open(missing, pepper=PEPPER, prepare=False)
    server = Server()
    with pytest.raises(Exception, match="prepare"):
        asyncio.run(server.run(SessionMiddleware(Living(sessions), sessions), sessions))
    assert server.told == ["lifespan.startup.failed"]


def test_an_application_without_a_lifespan_is_started_all_the_same() -> None:
    async def bare(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"

    sessions, server = AsyncSessionManager.open("memory:", pepper=PEPPER), Server()
    asyncio.run(server.run(SessionMiddleware(bare, sessions), sessions))
    assert server.told == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert server.was_closed


def test_what_another_protocol_asks_is_passed_on() -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    sessions = AsyncSessionManager.open("memory:", pepper=PEPPER)
    asyncio.run(SessionMiddleware(app, sessions)({"type": "other"}, None, None))  # type: ignore[arg-type]
    assert seen == [{"type": "other"}]


@pytest.fixture
def late(tmp_path: Path) -> Iterator[int]:
    """An application that looks for a session when its answer is already on the way."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"so far", "more_body": True})
        await auth(scope).require()

    sessions = AsyncSessionManager.open("memory:", pepper=PEPPER)
    with uvicorn_serving(SessionMiddleware(app, sessions)) as port:
        yield port


def test_a_refusal_that_comes_too_late_breaks_the_answer_off(late: int) -> None:
    with client_of(late) as client, pytest.raises(Exception, match="incomplete"):
        client.get("/")


def test_without_the_middleware_it_is_said_what_is_missing() -> None:
    with pytest.raises(RuntimeError, match="SessionMiddleware"):
        auth({"type": "http"})
