"""Flask-Session, with Flask-SQLAlchemy or pymongo: the id in clear, the data in msgpack."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from flask import Flask, Request
from flask_session import Session
from flask_session.base import ServerSideSessionInterface
from flask_session.mongodb import MongoDBSessionInterface
from flask_session.sqlalchemy import SqlAlchemySessionInterface
from flask_sqlalchemy import SQLAlchemy
from pymongo import MongoClient
from sqlalchemy import insert

from .peer import SESSIONS_PER_USER, Peer, Place, named

CHUNK = 1000
Fill = Callable[[list[tuple[str, bytes, datetime]]], object]


def open_peer(place: Place) -> Peer:
    """Opens the session of a request's cookie inside an application context, which every
    request has and whose end gives the database connection back."""
    app = Flask("peer")
    fill = _with_mongodb(app, place) if place.store == "mongodb" else _with_sql(app, place)
    interface = app.session_interface
    assert isinstance(interface, ServerSideSessionInterface)
    expiry = (datetime.now(UTC) + timedelta(days=31)).replace(tzinfo=None)
    sids = [secrets.token_urlsafe(32) for _ in range(place.sessions)]
    rows: list[tuple[str, bytes, datetime]] = []
    for number, sid in enumerate(sids):
        session = interface.session_class({"user": number // SESSIONS_PER_USER})
        rows.append((f"session:{sid}", interface.serializer.encode(session), expiry))
    with app.app_context():
        for start in range(0, len(rows), CHUNK):
            fill(rows[start : start + CHUNK])

    def validate(chosen: Sequence[str]) -> None:
        for sid in chosen:
            with app.app_context():
                session = interface.open_session(app, Request({"HTTP_COOKIE": f"session={sid}"}))
                assert session["user"] is not None

    return Peer(named("Flask-Session", "flask-session"), sids, validate, lambda: None)


def _with_sql(app: Flask, place: Place) -> Fill:
    if place.store == "sqlite":
        url = f"sqlite:///{place.file('flask.db')}"
    else:
        url = place.url.replace("postgresql:", "postgresql+psycopg:", 1)
    database = SQLAlchemy()
    app.config.update(
        SQLALCHEMY_DATABASE_URI=url, SESSION_TYPE="sqlalchemy", SESSION_SQLALCHEMY=database
    )
    database.init_app(app)
    Session(app)
    assert isinstance(app.session_interface, SqlAlchemySessionInterface)
    model = app.session_interface.sql_session_model

    def fill(rows: list[tuple[str, bytes, datetime]]) -> None:
        names = ("session_id", "data", "expiry")
        database.session.execute(
            insert(model), [dict(zip(names, row, strict=True)) for row in rows]
        )
        database.session.commit()

    return fill


def _with_mongodb(app: Flask, place: Place) -> Fill:
    app.config.update(SESSION_TYPE="mongodb", SESSION_MONGODB=MongoClient(place.url))
    Session(app)
    assert isinstance(app.session_interface, MongoDBSessionInterface)
    collection = app.session_interface.store
    # It makes none itself and would read the whole collection each time.
    collection.create_index("id")

    def fill(rows: list[tuple[str, bytes, datetime]]) -> None:
        names = ("id", "val", "expiration")
        collection.insert_many([dict(zip(names, row, strict=True)) for row in rows])

    return fill
