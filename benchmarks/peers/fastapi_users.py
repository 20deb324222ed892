"""fastapi-users with its database strategy on SQLAlchemy: the token in clear, the user's row."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from uuid import UUID, uuid4

from fastapi_users import BaseUserManager, UUIDIDMixin
from fastapi_users.authentication.strategy import DatabaseStrategy
from fastapi_users_db_sqlalchemy import SQLAlchemyBaseUserTableUUID, SQLAlchemyUserDatabase
from fastapi_users_db_sqlalchemy.access_token import (
    SQLAlchemyAccessTokenDatabase,
    SQLAlchemyBaseAccessTokenTableUUID,
)
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from .peer import SESSIONS_PER_USER, Peer, Place, named

LIFETIME_SECONDS = 30 * 24 * 3600


class Base(DeclarativeBase):
    """What its two tables stand on."""


class User(SQLAlchemyBaseUserTableUUID, Base):
    """The user's row, as the library has it."""


class AccessToken(SQLAlchemyBaseAccessTokenTableUUID, Base):
    """The token's row, as the library has it."""


class UserManager(UUIDIDMixin, BaseUserManager[User, UUID]):
    """Made anew for each request, as its dependency does."""


def open_peer(place: Place) -> Peer:
    """Reads a token in a database session of its own, as each request has one."""
    engine = engine_of(place)
    make_session = async_sessionmaker(engine, expire_on_commit=False)
    tokens = place.runner.run(fill(engine, place))

    async def read(chosen: Sequence[str]) -> None:
        for token in chosen:
            async with make_session() as session:
                users = UserManager(SQLAlchemyUserDatabase(session, User))
                database = SQLAlchemyAccessTokenDatabase(session, AccessToken)
                strategy = DatabaseStrategy(database, lifetime_seconds=LIFETIME_SECONDS)
                user = await strategy.read_token(token, users)
                assert user is not None

    return Peer(
        named("fastapi-users", "fastapi-users"),
        tokens,
        lambda chosen: place.runner.run(read(chosen)),
        lambda: place.runner.run(engine.dispose()),
        asynchronous=True,
    )


def engine_of(place: Place) -> AsyncEngine:
    """On a database of the place."""
    if place.store == "sqlite":
        return create_async_engine(f"sqlite+aiosqlite:///{place.file('fastapi_users.db')}")
    return create_async_engine(place.url.replace("postgresql:", "postgresql+asyncpg:", 1))


async def fill(engine: AsyncEngine, place: Place) -> list[str]:
    """Make the tables, with as many users and tokens as ours has; the tokens."""
    users = [
        {"id": uuid4(), "email": f"user-{number}@example.com", "hashed_password": "!"}
        for number in range(place.users)
    ]
    tokens = [
        {"token": secrets.token_urlsafe(), "user_id": users[number // SESSIONS_PER_USER]["id"]}
        for number in range(place.sessions)
    ]
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        await connection.execute(insert(User), users)
        await connection.execute(insert(AccessToken), tokens)
    return [str(row["token"]) for row in tokens]
