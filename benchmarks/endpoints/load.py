"""Requests on connections that stay open, counted."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from time import monotonic, perf_counter, sleep

AT_ONCE = 8
"""Connections, each with one request under way."""
_START_SECONDS = 60


class Load:
    """So many seconds of requests to one path, each with a token of its own."""

    def __init__(self, port: int, path: str, token: Callable[[], str], seconds: float) -> None:
        self._port = port
        self._path = path
        self._token = token
        self._seconds = seconds

    def run(self) -> float:
        """The microseconds that a request took of the service's time."""
        return asyncio.run(self._run())

    async def _run(self) -> float:
        began = perf_counter()
        end = began + self._seconds
        counts = await asyncio.gather(*(self._connection(end) for _ in range(AT_ONCE)))
        return (perf_counter() - began) * 1e6 / sum(counts)

    async def _connection(self, end: float) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        count = 0
        while perf_counter() < end:
            writer.write(
                f"GET {self._path} HTTP/1.1\r\nHost: localhost\r\n"
                f"Authorization: Bearer {self._token()}\r\n\r\n".encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
            count += 1
        writer.close()
        await writer.wait_closed()
        return count


def free_port() -> int:
    """One that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    """Until somebody does."""
    until = monotonic() + _START_SECONDS
    while monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        sleep(0.05)
    raise RuntimeError("the service did not start")
