"""Cores that say too much, and an asynchronous manager that is a little different."""

from __future__ import annotations

import logging
from typing import Any
from unittest.mock import patch

from coatcheck import InvalidInput
from coatcheck._credentials import hashes
from coatcheck._flows import validate
from coatcheck._flows.steps import Tell
from coatcheck._managers.async_calls import AsyncSessionCalls
from coatcheck._managers.async_driver import AsyncDriver

from .declaring import BOTH, broken_core

_validate, _hash = validate.validate, hashes.KeyHasher.hash
_log = logging.getLogger("coatcheck")
HASHER = "coatcheck._credentials.hashes.KeyHasher"
ASYNC = "coatcheck._managers.async_calls.AsyncSessionCalls"

# Law 18


@broken_core({18}, "an issued session shows its token", "coatcheck._values.IssuedSession.__repr__")
def _token_shown(issued: Any) -> str:
    return f"IssuedSession(token={issued.token!r})"


@broken_core({18}, "a Secret shows its value", "coatcheck._secret.Secret.__repr__")
def _secret_shown(secret: Any) -> str:
    return f"Secret({secret._value!r})"


@broken_core({18}, "a record shows its hash", "coatcheck._contract.records.Record.__repr__")
def _hash_shown(record: Any) -> str:
    return f"Record{tuple(record)!r}"


@broken_core(
    {18}, "an issued session can be pickled", "coatcheck._values.IssuedSession.__reduce_ex__"
)
def _pickled(issued: Any, protocol: int) -> Any:
    return type(issued), (issued.token, issued.session)


@broken_core({18}, "a token that does not parse is logged", "coatcheck._flows.validate.validate")
def _token_logged(core: Any, now: int, token: Any, touch: bool) -> Any:
    if core.config.tokens.read(token) is None:
        _log.debug("cannot parse the token %s", token.reveal())
    return (yield from _validate(core, now, token, touch))


@broken_core(
    {18}, "a validation keeps the bare token in a local", "coatcheck._flows.validate.validate"
)
def _bare_token(core: Any, now: int, token: Any, touch: bool) -> Any:
    text = token.reveal()
    answer = yield from _validate(core, now, token, touch)
    return answer if text else None


@broken_core({18}, "a failed touch is logged in the backend's words",
             "coatcheck._flows.validate._log_failure")  # fmt: skip
def _backend_quoted(session_id: Any, what: str, error: Exception) -> None:
    _log.warning("session %s: %s (%s)", session_id, what, error)


@broken_core({18}, "an unreadable hash is quoted in the error",
             "coatcheck._credentials.hashes._unreadable")  # fmt: skip
def _hash_quoted(record: Any) -> Exception:
    from coatcheck import BackendError

    return BackendError(f"session {record.id}: cannot read {record.key_hash}")


@broken_core({18}, "a wrong value is echoed", "coatcheck._fields.session_id")
def _echoed(field: str, value: object) -> object:
    from uuid import UUID

    if not isinstance(value, UUID):
        raise InvalidInput(f"{field} must be a uuid.UUID, not {value!r}")
    return value


def _salted(hasher: Any, session_id: Any, user_id: str, secret: Any) -> str:
    with patch("os.urandom", lambda _: secret.reveal()):
        return _hash(hasher, session_id, user_id, secret)


broken_core({3, 10, 11, 18}, "the salt is the secret", f"{HASHER}.hash")(_salted)


# Law 19

_find, _purge = AsyncSessionCalls.find, AsyncSessionCalls.purge
_async_validate, _revoke = AsyncSessionCalls.validate, AsyncSessionCalls.revoke
_update, _get = AsyncSessionCalls.update, AsyncSessionCalls.get
_ping = AsyncSessionCalls.ping


@broken_core(
    {3, 4, 7, 10, 18, 19},
    "the asynchronous validate ignores touch",
    f"{ASYNC}.validate",
    faces=BOTH,
)
async def _always_touching(sessions: Any, token: Any, *, touch: bool = True) -> Any:
    return await _async_validate(sessions, token)


@broken_core(
    {5, 7, 19}, "the asynchronous revoke gives None for False", f"{ASYNC}.revoke", faces=BOTH
)
async def _none_for_false(sessions: Any, session_id: Any) -> Any:
    return await _revoke(sessions, session_id) or None


@broken_core(
    {2, 7, 14, 19}, "the asynchronous purge spares the inactive", f"{ASYNC}.purge", faces=BOTH
)
async def _spares(sessions: Any, *, inactive: bool = True, **options: Any) -> Any:
    return await _purge(sessions, inactive=False, **options)


@broken_core(
    {7, 9, 13, 19}, "the asynchronous find has a largest page of one", f"{ASYNC}.find", faces=BOTH
)
async def _small_page(sessions: Any, *, limit: int = 100, **filters: Any) -> Any:
    return await _find(sessions, limit=min(limit, 1), **filters)


@broken_core(
    {1, 6, 7, 9, 19}, "the asynchronous update says only yes or no", f"{ASYNC}.update", faces=BOTH
)
async def _yes_or_no(sessions: Any, session_id: Any, **fields: Any) -> Any:
    return await _update(sessions, session_id, **fields) is not None


@broken_core(
    {7, 19},
    "the asynchronous issue tells nobody",
    "coatcheck._managers.async_driver.AsyncDriver._tell",
    faces=BOTH,
)
async def _tells_nobody(driver: Any, step: Any) -> None:
    return None


@broken_core({2, 7, 19}, "the asynchronous get shows no ended session", f"{ASYNC}.get", faces=BOTH)
async def _live_only(sessions: Any, session_id: Any) -> Any:
    session = await _get(sessions, session_id)
    return session if session in await _find(sessions, live=True) else None


_tell = AsyncDriver._tell


@broken_core({19}, "the asynchronous revoke_all tells of each session by itself",
             "coatcheck._managers.async_driver.AsyncDriver._tell", faces=BOTH)  # fmt: skip
async def _one_by_one(driver: Any, step: Any) -> None:
    if step.event != "sessions_revoked":
        await _tell(driver, step)
        return
    for ref in step.args[0]:
        await _tell(driver, Tell(step.event, ([ref],)))


@broken_core({19}, "the asynchronous find says something else of a wrong limit",
             f"{ASYNC}.find", faces=BOTH)  # fmt: skip
async def _other_words(sessions: Any, *, limit: int = 100, **filters: Any) -> Any:
    if type(limit) is int and not 0 <= limit <= 1000:
        raise InvalidInput("limit is not what it should be")
    return await _find(sessions, limit=limit, **filters)


@broken_core({19}, "the asynchronous ping gives an answer", f"{ASYNC}.ping", faces=BOTH)
async def _answering(sessions: Any) -> bool:
    await _ping(sessions)
    return True
