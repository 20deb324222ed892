"""What was acknowledged is there after `kill -9`, however the server was caught at it."""

from __future__ import annotations

import asyncio
import random
import threading
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from asking import NOW, Asking, record
from redis_server import RedisServer

from coatcheck import BackendError, Record, Where

ROUNDS = 5
WRITERS = 6


@dataclass
class Writer:
    """Writes sessions of its own until the server is gone."""

    number: int
    kept: dict[UUID, Record] = field(default_factory=dict[UUID, Record])
    """What must be there, as it was acknowledged."""
    gone: set[UUID] = field(default_factory=set[UUID])
    doubtful: set[UUID] = field(default_factory=set[UUID])
    """What the last write was about, which nobody acknowledged."""

    def steps(self, first: int) -> Any:
        """Yields a hook with its arguments, and is sent whatever it gave."""
        chance = random.Random(first)
        for count in range(first, first + 1_000_000):
            row = record(self.number * 10**9 + count, f"user-{self.number}")
            self.doubtful = {row.id}
            yield "insert", row
            self.kept[row.id] = row
            other = chance.choice(list(self.kept.values()))
            self.doubtful = {other.id}
            if chance.random() < 0.5:  # noqa: PLR2004
                changed = other._replace(metadata=f'{{"n":{count}}}', expires_at=None)
                fields = {"metadata": changed.metadata, "expires_at": None}
                assert (yield "update", other.id, fields, Where()) == changed
                self.kept[other.id] = changed
            else:
                assert (yield "delete", other.id, Where()) is not None
                del self.kept[other.id]
                self.gone.add(other.id)

    def write(self, store: Asking, first: int) -> None:
        steps = self.steps(first)
        step = next(steps)
        try:
            while True:
                step = steps.send(store.ask(*step))
        except BackendError:
            return

    async def awrite(self, backend: Any, first: int) -> None:
        steps = self.steps(first)
        hook, *args = next(steps)
        try:
            while True:
                hook, *args = steps.send(await getattr(backend, hook)(*args))
        except BackendError:
            return


def test_what_was_acknowledged_survives(face: str) -> None:
    writers = [Writer(number) for number in range(1, WRITERS + 1)]
    with RedisServer() as server, Asking(face, f"{server.url}?durable=true") as store:
        for turn in range(ROUNDS):
            killer = threading.Timer(0.3 + turn / 10, server.kill)
            killer.start()
            at_once(face, store, writers, turn * 10**6)
            killer.join()
            server.start()
            checked(store, writers)
    assert sum(len(writer.kept) + len(writer.gone) for writer in writers) > ROUNDS * WRITERS


def at_once(face: str, store: Asking, writers: list[Writer], first: int) -> None:
    if face == "async":

        async def all_of_them() -> None:
            await asyncio.gather(*(writer.awrite(store.backend, first) for writer in writers))

        store.runner.run(all_of_them())
        return
    threads = [threading.Thread(target=writer.write, args=(store, first)) for writer in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def checked(store: Asking, writers: list[Writer]) -> None:
    """Nothing is lost and nothing is back; of a doubtful one the store says what became of it."""
    for writer in writers:
        found: dict[UUID, Record] = {}
        page = [record(0)]
        while page:
            last = max(found) if found else None
            page = store.ask("find", Where(user_id=f"user-{writer.number}"), last, 1_000)
            found |= {row.id: row for row in page}
        for session_id in writer.doubtful:
            writer.kept.pop(session_id, None)
            writer.gone.discard(session_id)
        sure = {key: row for key, row in found.items() if key not in writer.doubtful}
        assert sure == writer.kept
        writer.kept = found
        assert all(store.ask("touch", session_id, NOW) for session_id in list(found)[:10])
