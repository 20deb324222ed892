"""MongoDB replica sets: of three members, so that one can be lost, or of another number."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Self

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from servers import PATIENCE, MongoServer

NAME = "rs0"


class ReplicaSet:
    """Mongods any of which may be the primary.

    :param size: how many; one alone has transactions, too, and is there in a second.
    :param parameters: what `--setParameter` is given, to each.
    :param settings: of the set's configuration, such as `electionTimeoutMillis`.
    :param options: other arguments of the command line, to each.
    """

    def __init__(
        self,
        parameters: Mapping[str, object] | None = None,
        settings: Mapping[str, object] | None = None,
        options: tuple[str, ...] = (),
        size: int = 3,
    ) -> None:
        options = ("--replSet", NAME, "--oplogSize", "64", *options)
        self.members = [MongoServer(parameters, options) for _ in range(size)]
        self.settings = {"electionTimeoutMillis": 2000, **(settings or {})}
        self._is_initiated = False

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{member.port}" for member in self.members)
        return f"mongodb://{hosts}/?replicaSet={NAME}"

    @property
    def processes(self) -> list[int]:
        """All that run."""
        return [pid for member in self.members for pid in member.processes]

    def start(self) -> None:
        """Start those that do not run, and wait until one is the primary and the rest follow."""
        resting = [member for member in self.members if not member.processes]
        for member in resting:
            member.launch()
        for member in resting:
            member.wait_until_ready()
        if not self._is_initiated:
            self._initiate()
        self.wait_until_whole()

    def _initiate(self) -> None:
        members = [
            {"_id": n, "host": f"127.0.0.1:{member.port}"} for n, member in enumerate(self.members)
        ]
        config = {"_id": NAME, "members": members, "settings": self.settings}
        for member in self.members:
            ask(member, "ping")
        ask(self.members[0], "replSetInitiate", config)
        self._is_initiated = True

    def wait_until_whole(self) -> None:
        """Until one member is the primary and all others that run are secondaries."""
        until = time.monotonic() + PATIENCE
        while True:
            told = [self._hello(member) for member in self.members if member.processes]
            primaries = [hello for hello in told if hello.get("isWritablePrimary")]
            secondaries = [hello for hello in told if hello.get("secondary")]
            if len(primaries) == 1 and len(primaries) + len(secondaries) == len(told):
                return
            if time.monotonic() > until:
                raise RuntimeError(f"the replica set did not find a primary: {told}")
            time.sleep(0.02)

    @property
    def primary(self) -> MongoServer:
        """The member that takes writes; waits until there is one."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            for member in self.members:
                if member.processes and self._hello(member).get("isWritablePrimary"):
                    return member
            time.sleep(0.02)
        raise RuntimeError("the replica set has no primary")

    @staticmethod
    def _hello(member: MongoServer) -> dict[str, Any]:
        with suppress(PyMongoError):
            return ask(member, "hello")
        return {}

    def step_down(self, seconds: int = 1) -> None:
        """Have the primary give up its place."""
        ask(self.primary, "replSetStepDown", seconds, force=True)

    def stop(self) -> None:
        """An orderly end of all members."""
        for member in self.members:
            member.stop()

    def kill(self) -> None:
        """`kill -9` for all members."""
        for member in self.members:
            member.kill()

    def freeze(self) -> None:
        """Stop all members where they are."""
        for member in self.members:
            member.freeze()

    def thaw(self) -> None:
        """Let them go on."""
        for member in self.members:
            member.thaw()

    def close(self) -> None:
        """End it, and remove its data."""
        for member in self.members:
            member.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def ask(member: MongoServer, command: str, value: Any = 1, **more: Any) -> dict[str, Any]:
    """A command of the `admin` database, to this member alone."""
    with MongoClient(
        member.url,
        directConnection=True,
        serverSelectionTimeoutMS=1000,
        connectTimeoutMS=1000,
        socketTimeoutMS=PATIENCE * 1000,
    ) as client:
        return client.admin.command(command, value, **more)
