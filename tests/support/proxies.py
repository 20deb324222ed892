"""A way to a PostgreSQL server that counts what goes over it, by kind of message."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class Proxy:
    """Listens on a port of its own and passes everything on.

    :ivar sent: by connection, the kinds of the messages that the client sent, as the protocol
        names them: `P` parses, `B` binds, `E` executes, `Q` is a simple query, `S` ends a round.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._server = (parts.hostname or "", parts.port or 5432)
        self._listening = socket.create_server(("127.0.0.1", 0))
        address = f"{parts.username}@127.0.0.1:{self._listening.getsockname()[1]}"
        self.url = parts._replace(netloc=address).geturl()
        self.sent: list[list[str]] = []
        self.is_mute = False
        """Whether the server's answers are swallowed."""
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def take(self) -> list[str]:
        """What all connections sent since the last time."""
        taken = [kind for kinds in self.sent for kind in kinds]
        for kinds in self.sent:
            kinds.clear()
        return taken

    def cut(self) -> None:
        """End every connection that there is, for both sides."""
        for each in list(self._sockets):  # while the client is making another one
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listening.close()
        self.cut()
        for each in self._sockets:
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listening.accept()[0]
                server = socket.create_connection(self._server)
                self._sockets += [client, server]
                kinds: list[str] = []
                self.sent.append(kinds)
                threading.Thread(target=self._up, args=(client, server, kinds), daemon=True).start()
                threading.Thread(target=self._down, args=(server, client), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket, kinds: list[str]) -> None:
        """From the client, whose first message has no kind, only a length."""
        waiting, begun = b"", False
        with suppress(OSError):
            while part := client.recv(65536):
                waiting += part
                while len(waiting) >= 5:
                    size = int.from_bytes(waiting[:4] if not begun else waiting[1:5])
                    size += begun
                    if len(waiting) < size:
                        break
                    if begun:
                        kinds.append(chr(waiting[0]))
                    begun = begun or size > 8  # a wish for TLS is eight bytes, and asked before
                    waiting = waiting[size:]
                server.sendall(part)
            server.shutdown(socket.SHUT_RDWR)

    def _down(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while part := server.recv(65536):
                if not self.is_mute:
                    client.sendall(part)
            client.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy_to(url: str) -> Iterator[Proxy]:
    """One that is there for as long as it is needed."""
    proxy = Proxy(url)
    try:
        yield proxy
    finally:
        proxy.close()
