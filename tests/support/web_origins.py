"""A server behind a real socket that knows good tokens, and clients of every kind to ask it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import anyio
import httpx2
from anyio.from_thread import BlockingPortal, start_blocking_portal

from coatcheck.client import SessionAuth
from threads_at_once import all_at_once

INVALID = 'Bearer realm="app", error="invalid_token", error_description="no, thanks"'
FACES = ("sync", "asyncio", "trio")


class Seen(NamedTuple):
    """A request, as the server saw it."""

    path: str
    authorization: str | None
    body: bytes


class Answer(NamedTuple):
    """What the server answers."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b"{}"


class WebOrigin:
    """`/to?URL` redirects to the URL, `/held` waits for `release`, and all else asks for a
    good token, unless `answers` has an answer for the path."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.good: set[str] = set()
        self.answers: dict[str, Answer] = {}
        self.seen: list[Seen] = []
        self.arrived = threading.Semaphore(0)
        self.release = threading.Event()
        self._server = _Server((address, 0), partial(_Handler, self))
        self.port = self._server.server_address[1]
        self.url = f"http://{address}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        self._thread.join()

    def tokens(self, path: str | None = None) -> list[str | None]:
        """What each request to the path carried, in their order."""
        return [
            seen.authorization and seen.authorization.removeprefix("Bearer ")
            for seen in self.seen
            if path in {None, seen.path}
        ]

    def answer(self, seen: Seen) -> Answer:
        url = urlsplit(seen.path)
        if url.path == "/to":
            return Answer(307, [("Location", unquote(url.query))])
        if url.path in self.answers:
            return self.answers[url.path]
        is_good = (seen.authorization or "").removeprefix("Bearer ") in self.good
        if url.path == "/held":
            self.arrived.release()
            assert self.release.wait(60)
        if is_good:
            return Answer(200, [])
        challenge = "Bearer" if seen.authorization is None else INVALID
        return Answer(401, [("WWW-Authenticate", challenge)])


def is_whole(answer: Answer) -> bool:
    """Whether the length of the body is that of the answer."""
    return all(name != "Content-Length" for name, _ in answer.headers)


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, *args: Any) -> None:
        self._connections: set[socket.socket] = set()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End the connections that clients keep open, on which their threads wait."""
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def __init__(self, origin: WebOrigin, *args: Any) -> None:
        self.origin = origin
        super().__init__(*args)

    def do_POST(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        seen = Seen(self.path, self.headers.get("Authorization"), body)
        self.origin.seen.append(seen)
        answer = self.origin.answer(seen)
        self.send_response(answer.status)
        headers = {"Content-Length": str(len(answer.body))} if is_whole(answer) else {}
        for name, value in [*answer.headers, *headers.items()]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *args: Any) -> None: ...


class Face:
    """Makes clients of one kind, all with calls that block."""

    def __init__(self, kind: str, portal: BlockingPortal | None, stack: ExitStack) -> None:
        self.kind = kind
        self._portal = portal
        self._stack = stack

    def client(self, auth: SessionAuth | None, **options: Any) -> Any:
        """An `httpx2.Client`, or an `httpx2.AsyncClient` whose calls block."""
        options = {"auth": auth, "trust_env": False, "timeout": 30, **options}
        if self._portal is None:
            return self._stack.enter_context(httpx2.Client(**options))
        client = httpx2.AsyncClient(**options)
        self._stack.callback(self.run, client.aclose)
        return Blocking(client, self)

    def run(self, call: Callable[..., Awaitable[Any]], *args: Any, **named: Any) -> Any:
        """What a coroutine function gives on the event loop."""
        assert self._portal is not None
        return self._portal.call(partial(call, *args, **named))

    def sign_in(self, auth: SessionAuth, token: str) -> None:
        if self._portal is None:
            auth.sign_in(token)
        else:
            self.run(auth.sign_in_async, token)

    def sign_out(self, auth: SessionAuth) -> None:
        if self._portal is None:
            auth.sign_out()
        else:
            self.run(auth.sign_out_async)

    def signed_in(self, auth: SessionAuth) -> bool:
        return auth.signed_in() if self._portal is None else self.run(auth.signed_in_async)

    def all_at_once(self, client: Any, paths: list[str]) -> list[Any]:
        """The answer of each path, or its exception, asked in as many threads or tasks."""
        answers: list[Any] = [None] * len(paths)
        if self._portal is None:

            def ask(n: int) -> None:
                try:
                    answers[n] = client.get(paths[n])
                except Exception as error:  # noqa: BLE001 - an answer
                    answers[n] = error

            all_at_once(ask, len(paths))
        else:

            async def ask_it(n: int) -> None:
                try:
                    answers[n] = await client.asynchronous.get(paths[n])
                except Exception as error:  # noqa: BLE001 - an answer
                    answers[n] = error

            async def ask_all() -> None:
                async with anyio.create_task_group() as group:
                    for n in range(len(paths)):
                        group.start_soon(ask_it, n)

            self.run(ask_all)
        return answers


class Blocking:
    """The calls of an asynchronous client, which block."""

    def __init__(self, client: httpx2.AsyncClient, face: Face) -> None:
        self.asynchronous = client
        self._face = face

    def build_request(self, *args: Any, **named: Any) -> httpx2.Request:
        return self.asynchronous.build_request(*args, **named)

    def __getattr__(self, name: str) -> Any:
        return partial(self._face.run, getattr(self.asynchronous, name))


@contextmanager
def face(kind: str) -> Iterator[Face]:
    """All that is made of it is closed at the end."""
    with ExitStack() as stack:
        portal = None if kind == "sync" else stack.enter_context(start_blocking_portal(kind))
        yield Face(kind, portal, stack)
