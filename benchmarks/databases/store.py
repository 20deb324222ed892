"""What the figures ask of a store: a raw connection at its fastest, and a way to be filled."""

from __future__ import annotations

import gc
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from random import sample
from typing import Any, ClassVar, Protocol
from uuid import UUID

from coatcheck import Record, SessionManager
from sessions import OPTIONS, SESSIONS_PER_USER, Source

CHUNK = 10_000


class Raw(Protocol):
    """A held connection of the driver. Each call runs its statement once for each item, at the
    durability that ours has, and looks at nothing that it gets."""

    def read(self, keys: Sequence[Any]) -> None:
        """A session by its primary key: the statement of `validate`."""
        ...

    def read_users(self, users: Sequence[str]) -> None:
        """All sessions of a user."""
        ...

    def insert(self, rows: Sequence[Any]) -> None:
        """One session."""
        ...

    def delete(self, keys: Sequence[Any]) -> None:
        """One session."""
        ...

    def delete_users(self, users: Sequence[str]) -> None:
        """All sessions of a user."""
        ...

    def purge(self, now: int, batch: int) -> None:
        """All that have expired, in batches."""
        ...

    def fill(self, rows: Sequence[Any]) -> None:
        """All of them at once. Not measured."""
        ...

    def discard(self, keys: Sequence[Any]) -> None:
        """All of them at once. Not measured."""
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...


class AsyncRaw(Protocol):
    """The same on an event loop, for reads."""

    async def read(self, keys: Sequence[Any]) -> None:
        """A session by its primary key."""
        ...

    async def close(self) -> None:
        """Give the connection back."""
        ...


class Store(ABC):
    """So many sessions, ten a user, and a token for each."""

    name: ClassVar[str]
    limits: ClassVar[Mapping[str, float]]
    """What the project wants of the cases that it wants something of."""
    is_server: ClassVar[bool] = True
    url: str
    async_urls: Mapping[str, str]
    """For `AsyncSessionManager`, by the name of the driver where there are two."""

    def __init__(self, sessions: int) -> None:
        self.source = Source()
        self.tokens: list[str] = []
        self.keys: list[Any] = []
        with self.manager():
            pass  # which makes the schema
        raw = self.raw()
        many = self.source.many(sessions)
        while chunk := list(islice(many, CHUNK)):
            self.tokens += [token for token, _ in chunk]
            self.keys += [self.key_of(record.id) for _, record in chunk]
            raw.fill([self.row_of(record) for _, record in chunk])
        raw.close()
        self.settle()
        # A million tokens would else be walked by every full collection.
        gc.freeze()

    @property
    def sessions(self) -> int:
        """How many."""
        return len(self.tokens)

    def users(self, number: int) -> list[str]:
        """Some users, in no order."""
        return [f"user-{n}" for n in sample(range(self.sessions // SESSIONS_PER_USER), number)]

    @contextmanager
    def manager(self) -> Iterator[SessionManager]:
        """A manager on it."""
        with SessionManager.open(self.url, **OPTIONS) as manager:
            yield manager

    @abstractmethod
    def raw(self) -> Raw:
        """A raw connection of its own."""

    @abstractmethod
    async def async_raw(self, driver: str) -> AsyncRaw:
        """One of an asynchronous driver, by its name in `async_urls`."""

    @abstractmethod
    def key_of(self, session_id: UUID) -> Any:
        """A session's primary key, as the driver takes it."""

    @abstractmethod
    def row_of(self, record: Record) -> Any:
        """A session as the driver takes it."""

    @abstractmethod
    def settle(self) -> None:
        """What an administrator does after a bulk load."""

    @abstractmethod
    def sizes(self) -> dict[str, int]:
        """Bytes of the table and of each index, by name."""
