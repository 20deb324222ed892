"""A TCP proxy before one server, which cuts, delays, swallows or refuses when it is told to."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from typing import Any, Self
from urllib.parse import urlsplit

_AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER: a close is a reset."""


class CuttingProxy:
    """Passes everything on, until one of these is set; they hold for all connections.

    :ivar delay: seconds that each answer is late.
    :ivar is_swallowing: answers are read and dropped; whatever was asked for happens.
    :ivar is_refusing: new connections are reset.
    :ivar cuts: so many of the next answers are dropped, and their connections reset.
    """

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self.delay = 0.0
        self.is_swallowing = False
        self.is_refusing = False
        self.cuts = 0
        self.connections = 0
        self._pairs = set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]]()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="proxy")

    @property
    def url(self) -> str:
        """The server's, by way of the proxy."""
        place = self._url.netloc.rpartition(":")[0]
        return self._url._replace(netloc=f"{place}:{self.port}").geturl()

    def reset_all(self) -> int:
        """Reset every connection on both sides, and say how many there were."""
        return asyncio.run_coroutine_threadsafe(self._reset_all(), self._loop).result()

    async def _reset_all(self) -> int:
        pairs = list(self._pairs)
        for pair in pairs:
            _reset(pair)
        return len(pairs)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._over.wait()
        server.close()
        await self._reset_all()
        serving = asyncio.all_tasks() - {asyncio.current_task()}
        if serving:
            await asyncio.wait(serving)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.is_refusing:
            _reset((writer,))
            return
        host, port = self._url.hostname, self._url.port
        try:
            server_reader, server_writer = await asyncio.open_connection(host, port)
        except OSError:
            _reset((writer,))
            return
        pair = writer, server_writer
        self._pairs.add(pair)
        try:
            await asyncio.gather(
                self._pass(reader, server_writer, pair),
                self._pass(server_reader, writer, pair, answers=True),
            )
        finally:
            self._pairs.discard(pair)
            _reset(pair)

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
        *,
        answers: bool = False,
    ) -> None:
        try:
            while data := await reader.read(1 << 16):
                if answers:
                    await asyncio.sleep(self.delay)
                    if self.is_swallowing:
                        continue
                    if self.cuts:
                        self.cuts -= 1
                        _reset(pair)
                        return
                writer.write(data)
                await writer.drain()
            writer.close()  # an end on one side is one on the other
        except OSError:
            _reset(pair)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()


def _reset(writers: tuple[asyncio.StreamWriter, ...]) -> None:
    for writer in writers:
        transport: Any = writer.transport
        if not transport.is_closing():
            own: socket.socket = transport.get_extra_info("socket")
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        transport.abort()
