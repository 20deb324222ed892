"""A new session and its token."""

from __future__ import annotations

from typing import Any

from .. import _fields
from .._contract.records import Record
from .._credentials.tokens import new_secret
from .._credentials.uuid7 import uuid7
from .._errors import InvalidInput
from .._times import Milliseconds
from .._unset import UNSET
from .._values import IssuedSession, Session
from .steps import Ask, Consult, Core, Flow, Tell, Work


def issue(
    core: Core, now: Milliseconds, user_id: object, given: dict[str, Any]
) -> Flow[IssuedSession]:
    """Check, hash, consult, store, tell. A repeated issue makes a new session."""
    config = core.config
    hasher = config.hasher
    session_id, secret = uuid7(now), new_secret(config.secret_length)
    user = _fields.text("user_id", user_id)
    record = Record(
        session_id,
        user,
        method=_fields.text("method", given["method"]),
        scopes=_fields.scopes(given["scopes"]),
        metadata=_metadata(given["metadata"]),
        created_at=now,
        last_used_at=now,
        expires_at=_expiry(core, now, given["expires_at"], given["lifetime"]),
        inactivity_timeout=_timeout(core, given["inactivity_timeout"]),
        key_hash="" if hasher.is_slow else hasher.hash(session_id, user, secret),
        pepper_id=hasher.pepper_id,
    )
    session = Session(record)
    if core.observers["session_issuing"]:
        yield Consult((session,))
    if hasher.is_slow:
        # After the observers, since whoever is refused need not cost an Argon2.
        key_hash = yield Work(hasher.hash, (session_id, user, secret))
        record = record._replace(key_hash=key_hash)
    yield Ask("insert", (record,))
    if core.observers["session_issued"]:
        yield Tell("session_issued", (session,))
    return IssuedSession(config.tokens.write(session_id, secret), session)


def _metadata(metadata: object) -> str:
    return "{}" if metadata is None else _fields.metadata(metadata)


def _expiry(
    core: Core, now: Milliseconds, expires_at: object, lifetime: object
) -> Milliseconds | None:
    if expires_at is not UNSET and lifetime is not UNSET:
        raise InvalidInput("expires_at and lifetime exclude each other; give one of them")
    if expires_at is not UNSET:
        return None if expires_at is None else _fields.instant_after("expires_at", expires_at, now)
    if lifetime is UNSET:
        span = core.config.lifetime
    else:
        span = None if lifetime is None else _fields.span("lifetime", lifetime)
    if span is not None and now + span >= _fields.END_OF_TIME:
        raise InvalidInput("lifetime must end before the year 9000")
    return None if span is None else now + span


def _timeout(core: Core, inactivity_timeout: object) -> Milliseconds | None:
    if inactivity_timeout is UNSET:
        return core.config.inactivity_timeout
    return _fields.inactivity_timeout(inactivity_timeout)
