"""The public suite, on a server that loses nothing that it acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from uuid import UUID

from coatcheck_redis import open_async_backend, open_backend
from redis_server import RedisServer

from coatcheck import Secret
from coatcheck_conformance import Conformance, Face, Harness


class RedisHarness(Harness):
    def __init__(self) -> None:
        self.server = RedisServer()
        self.server.start()
        self.client = self.server.client()
        self.url = f"{self.server.url}?durable=true"

    def open(self) -> object:
        return open_backend(Secret(self.url))

    def reset(self) -> None:
        sessions = [key for key in self.client.scan_iter() if not key.endswith(b":schema")]
        self.client.delete("none", *sessions)

    def open_async(self) -> object:
        return open_async_backend(Secret(self.url))

    def unprepared(self, face: Face) -> object:
        opener = open_backend if face is Face.SYNC else open_async_backend
        return opener(Secret(f"{self.url}&prefix=unprepared-{face}"))

    def rows(self) -> Iterable[object]:
        read: dict[bytes, Callable[[bytes], object]] = {
            b"hash": lambda key: sorted(self.client.hgetall(key).items()),
            b"string": self.client.get,
            b"zset": lambda key: self.client.zrange(key, 0, -1, withscores=True),
        }
        for key in sorted(self.client.scan_iter()):
            yield key, read[self.client.type(key)](key)

    def corrupt(self, session_id: UUID) -> None:
        self.client.hset(f"{{coatcheck}}:session:{session_id.hex}", "last_used_at", "soon")

    def crash(self) -> None:
        self.server.kill()
        self.server.start()

    def second_process(self) -> str:
        return self.url

    def close(self) -> None:
        self.client.close()
        self.server.__exit__()


class TestRedis(Conformance):
    harness = RedisHarness
