"""The service that is measured: one FastAPI application with all contestants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from multiprocessing.connection import Connection
from typing import Any
from uuid import UUID

import uvicorn
from fastapi import FastAPI, Request

from coatcheck import AsyncSessionManager
from coatcheck.web.fastapi import CurrentSession, add_sessions
from databases import AsyncRaw, Store
from endpoints.load import AT_ONCE
from peers import Place
from sessions import OPTIONS

PEER_STORES = ("sqlite", "postgresql")


def serve(store: Store, site_url: str, port: int, told: Connection) -> None:
    """Until the process is ended. Sends the peer's tokens when it is about to listen."""
    with asyncio.Runner() as runner:
        runner.run(_serve(store, site_url, port, told, runner))


async def _serve(
    store: Store, site_url: str, port: int, told: Connection, runner: asyncio.Runner
) -> None:
    driver = list(store.async_urls)[-1]
    app = FastAPI()
    add_sessions(app, AsyncSessionManager.open(store.async_urls[driver], **OPTIONS))
    raws = [await store.async_raw(driver) for _ in range(AT_ONCE)]
    _add_ours(app, raws, store)
    tokens: list[str] = []
    if store.name in PEER_STORES:
        url = site_url if not store.is_server else store.url
        place = Place(store.name, url, min(store.sessions, 10_000), runner)
        tokens = await _add_peer(app, place)
    told.send(tokens)
    await uvicorn.Server(uvicorn.Config(app, port=port, log_level="error")).serve()


def _add_ours(app: FastAPI, raws: list[AsyncRaw], store: Store) -> None:
    key_of, own_key = store.key_of, store.keys[0]

    async def read(key: Any) -> None:
        # As many connections as there are requests at once.
        raw = raws.pop()
        try:
            await raw.read((key,))
        finally:
            raws.append(raw)

    @app.get("/raw")
    async def raw(request: Request) -> dict[str, str]:
        token = request.headers["authorization"][7:]
        await read(key_of(UUID(token)))
        return {"user": "user-42"}

    @app.get("/ours")
    async def ours(session: CurrentSession) -> dict[str, str]:
        return {"user": session.user_id}

    @app.get("/ours-and-user")
    async def ours_and_user(session: CurrentSession) -> dict[str, str]:
        await read(own_key)  # a row by its primary key, as a user's would be
        return {"user": session.user_id}


async def _add_peer(app: FastAPI, place: Place) -> list[str]:
    """The endpoint of fastapi-users, as its documentation sets it up; the tokens it knows."""
    from fastapi import Depends
    from fastapi_users import FastAPIUsers
    from fastapi_users.authentication import AuthenticationBackend, BearerTransport
    from fastapi_users.authentication.strategy import DatabaseStrategy
    from fastapi_users_db_sqlalchemy import SQLAlchemyUserDatabase
    from fastapi_users_db_sqlalchemy.access_token import SQLAlchemyAccessTokenDatabase
    from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

    from peers.fastapi_users import (
        LIFETIME_SECONDS,
        AccessToken,
        User,
        UserManager,
        engine_of,
        fill,
    )

    engine = engine_of(place)
    tokens = await fill(engine, place)
    make_session = async_sessionmaker(engine, expire_on_commit=False)

    async def session() -> AsyncIterator[AsyncSession]:
        async with make_session() as opened:
            yield opened

    def strategy(opened: AsyncSession = Depends(session)) -> DatabaseStrategy[Any, Any, Any]:  # noqa: B008
        database = SQLAlchemyAccessTokenDatabase(opened, AccessToken)
        return DatabaseStrategy(database, lifetime_seconds=LIFETIME_SECONDS)

    async def users(opened: AsyncSession = Depends(session)) -> AsyncIterator[UserManager]:  # noqa: B008
        yield UserManager(SQLAlchemyUserDatabase(opened, User))

    backend = AuthenticationBackend("database", BearerTransport("login"), strategy)
    current_user = FastAPIUsers[User, UUID](users, [backend]).current_user()

    async def peer(user: User = Depends(current_user)) -> dict[str, str]:  # noqa: B008
        return {"user": str(user.id)}

    # The hints of a nested function are not to be looked up by their names.
    peer.__annotations__["user"] = User
    app.get("/fastapi-users", response_model=None)(peer)
    return tokens
