"""Real servers in threads of this process, so that a test has their stores in its hands."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
import waitress
from waitress import wasyncore

_START_SECONDS = 20


def bound_socket() -> socket.socket:
    """On a free port of this machine."""
    # With its protocol named, or asyncio leaves Nagle's algorithm on: 40 ms for each answer.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", 0))
    return bound


@contextmanager
def uvicorn_serving(app: Any, *, lifespan: str = "on") -> Iterator[int]:
    """An ASGI application; gives the port."""
    config = uvicorn.Config(app, lifespan=lifespan, log_level="critical", ws="websockets-sansio")  # type: ignore[arg-type]
    server, bound = uvicorn.Server(config), bound_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    try:
        until = time.monotonic() + _START_SECONDS
        while not server.started:
            if not thread.is_alive() or time.monotonic() > until:
                raise RuntimeError("uvicorn did not start")
            time.sleep(0.005)
        yield bound.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        bound.close()


@contextmanager
def waitress_serving(app: Any) -> Iterator[int]:
    """A WSGI application; gives the port."""
    bound, channels = bound_socket(), {}
    bound.listen(128)
    server = waitress.create_server(app, sockets=[bound], threads=8, map=channels)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield bound.getsockname()[1]
    finally:
        # Its loop ends when it has nothing left to watch.
        server.task_dispatcher.shutdown()
        wasyncore.close_all(channels)
        thread.join()
        bound.close()
