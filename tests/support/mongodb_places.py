"""A MongoDB database of a test's own: managers of either kind over it, and a look from outside."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from functools import cached_property
from typing import Any
from uuid import UUID

from bson.codec_options import CodecOptions
from pymongo import MongoClient

from coatcheck import AsyncSessionManager, Secret, SessionManager
from coatcheck_conformance.faces import BlockingManager, blocking
from shared_servers import with_options

PEPPER = "the pepper of these tests, which is of more than thirty-two bytes"
OLD_PEPPER = "last year's pepper of these tests, of more than thirty-two bytes"
FACES = ("sync", "async")
CODEC: CodecOptions[dict[str, Any]] = CodecOptions(uuid_representation=4)


class Place:
    """One database, and whatever works on it; `close` ends all of that."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.rooms = ExitStack()

    @cached_property
    def runner(self) -> asyncio.Runner:
        """The event loop of the asynchronous managers."""
        return self.rooms.enter_context(asyncio.Runner())

    def open(self, face: str = "sync", query: dict[str, str] | None = None, **options: Any) -> Any:
        """A manager with these options, prepared; an asynchronous one behind a blocking face."""
        url, chosen = with_options(self.url, **(query or {})), {"pepper": PEPPER, **options}
        if face == "sync":
            manager: Any = SessionManager.open(url, **chosen)
        else:
            manager = BlockingManager(AsyncSessionManager.open(url, **chosen), self.runner)
            manager.start()
        self.rooms.callback(manager.close)
        return manager

    def backend(self, face: str = "sync", query: dict[str, str] | None = None) -> Any:
        """The backend by itself, prepared, with its hooks run to their end."""
        from coatcheck_backends import mongodb

        url = Secret(with_options(self.url, **(query or {})))
        if face == "sync":
            backend: Any = mongodb.open_backend(url)
        else:
            backend = BlockingBackend(mongodb.open_async_backend(url), self.runner)
        self.rooms.callback(backend.close)
        backend.prepare(True)
        return backend

    def within(self, sessions: Any, transaction: object) -> Any:
        """`sessions.within(transaction)`, blocking either way."""
        bound = sessions.within(transaction)
        return (
            BlockingManager(bound, self.runner) if isinstance(sessions, BlockingManager) else bound
        )

    @cached_property
    def client(self) -> MongoClient[dict[str, Any]]:
        """Somebody else's client."""
        return self.rooms.enter_context(MongoClient[dict[str, Any]](self.url))

    @property
    def database(self) -> Any:
        return self.client.get_default_database().with_options(CODEC)

    @property
    def raw(self) -> Any:
        """The documents behind everybody's back."""
        return self.database["coatcheck_session"]

    def set(self, session_id: UUID, field: str, value: object) -> None:
        """Write anything at all into one field."""
        assert self.raw.update_one({"_id": session_id}, {"$set": {field: value}}).matched_count

    def fail(self, commands: list[str], times: int = 1, **how: Any) -> None:
        """Have the server fail these commands, so many times, as `failCommand` knows how."""
        data = {"failCommands": commands, **how}
        self.client.admin.command(
            "configureFailPoint", "failCommand", mode={"times": times}, data=data
        )

    def close(self) -> None:
        """End everything, the last begun first."""
        self.rooms.close()


class BlockingBackend:
    """The hooks of an asynchronous backend, each run to its end."""

    def __init__(self, backend: Any, runner: asyncio.Runner) -> None:
        self.backend = backend
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        return blocking(getattr(self.backend, name), self._runner)
