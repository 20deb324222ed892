"""MongoDB, by pymongo: a client with the options that ours has, and `find_one`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from pymongo import AsyncMongoClient, MongoClient

from coatcheck import Record
from coatcheck_backends.mongodb.documents import document_of

from .store import AsyncRaw, Store

COLLECTION = "coatcheck_session"
OPTIONS: dict[str, Any] = {
    "w": "majority",
    "journal": True,
    "readConcernLevel": "majority",
    "timeoutMS": 5000,
    "uuidRepresentation": "standard",
}
BY_ID = {"_id": 1}


class MongoStore(Store):
    """A database of its own on a server."""

    name = "mongodb"
    limits = {  # noqa: RUF012
        "validate, sync": 1.15,
        "validate, async": 1.15,
        "issue": 1.3,
        "revoke": 1.3,
    }

    def __init__(self, server_url: str, database: str, sessions: int) -> None:
        base, _, query = server_url.partition("?")
        self.url = f"{base}{database}" + (f"?{query}" if query else "")
        self.async_urls = {"": self.url}
        super().__init__(sessions)

    def raw(self) -> RawMongo:
        return RawMongo(self.url)

    async def async_raw(self, driver: str) -> AsyncRaw:  # noqa: ARG002 - there is one
        return RawAsyncMongo(self.url)

    def key_of(self, session_id: UUID) -> UUID:
        return session_id

    def row_of(self, record: Record) -> dict[str, Any]:
        return document_of(record)

    def settle(self) -> None:
        """Writes everything to its files, so that their sizes say something."""
        with MongoClient[dict[str, Any]](self.url) as client:
            client.admin.command("fsync")

    def sizes(self) -> dict[str, int]:
        with MongoClient[dict[str, Any]](self.url) as client:
            found = client.get_default_database().command("collStats", COLLECTION)
        return {COLLECTION: found["storageSize"], **found["indexSizes"]}


class RawMongo:
    """A client and its collection."""

    def __init__(self, url: str) -> None:
        self.client = MongoClient[dict[str, Any]](url, **OPTIONS)
        self.sessions = self.client.get_default_database()[COLLECTION]

    def read(self, keys: Sequence[Any]) -> None:
        find = self.sessions.find_one
        for key in keys:
            find({"_id": key})

    def read_users(self, users: Sequence[str]) -> None:
        for user in users:
            list(self.sessions.find({"user_id": user}).sort(BY_ID).limit(100))

    def insert(self, rows: Sequence[Any]) -> None:
        for row in rows:
            self.sessions.insert_one(row)

    def delete(self, keys: Sequence[Any]) -> None:
        for key in keys:
            self.sessions.delete_one({"_id": key})

    def delete_users(self, users: Sequence[str]) -> None:
        for user in users:
            self.sessions.delete_many({"user_id": user})

    def purge(self, now: int, batch: int) -> None:
        expired = {"expires_at": {"$type": "long", "$lte": now}}
        while doomed := [each["_id"] for each in self.sessions.find(expired, BY_ID).limit(batch)]:
            self.sessions.delete_many({"_id": {"$in": doomed}})

    def fill(self, rows: Sequence[Any]) -> None:
        self.sessions.insert_many(rows)

    def discard(self, keys: Sequence[Any]) -> None:
        self.sessions.delete_many({"_id": {"$in": list(keys)}})

    def close(self) -> None:
        self.client.close()


class RawAsyncMongo:
    """The same on an event loop."""

    def __init__(self, url: str) -> None:
        self.client = AsyncMongoClient[dict[str, Any]](url, **OPTIONS)
        self.sessions = self.client.get_default_database()[COLLECTION]

    async def read(self, keys: Sequence[Any]) -> None:
        find = self.sessions.find_one
        for key in keys:
            await find({"_id": key})

    async def close(self) -> None:
        await self.client.close()
