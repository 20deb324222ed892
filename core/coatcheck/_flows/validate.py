"""Token → store → hash → expiry → touch → session."""

from __future__ import annotations

from uuid import UUID

from .._contract.records import Record
from .._credentials.hashes import Verdict
from .._errors import BackendError
from .._secret import Secret
from .._times import Milliseconds
from .._values import Rejection, RejectionReason, Session
from .answers import record_of, truth_of
from .steps import Ask, Core, Flow, Tell, Time, Work, logger

# On Python 3.11 the look-up in an enum costs as much as a call.
_MATCHES, _OUTDATED, _SLOW = Verdict.MATCHES, Verdict.OUTDATED, Verdict.SLOW

_MALFORMED = Rejection(RejectionReason.MALFORMED)


def validate(
    core: Core, now: Milliseconds, token: Secret[object], touch: bool
) -> Flow[Session | Rejection]:
    """One read; a touch if one is due; one rewrite of the hash if it is outdated."""
    config = core.config
    named = config.tokens.read(token)
    if named is None:
        return (yield from _refuse(core, _MALFORMED))
    session_id, secret = named
    record = record_of(session_id, (yield Ask("load", (session_id,))))
    if record is None:
        config.hasher.spend(session_id, secret)
        return (yield from _refuse(core, Rejection(RejectionReason.UNKNOWN, session_id)))
    verdict = config.hasher.verify(record, secret)
    if verdict is _SLOW:
        verdict = yield Work(config.hasher.verify_slowly, (record, secret))
    # An end is told only to whoever holds the right secret.
    if verdict is not _MATCHES and verdict is not _OUTDATED:
        return (yield from _refuse(core, _unauthentic(core, record, verdict)))
    state = record.state(now)
    if state != "live":
        return (yield from _refuse(core, Rejection(RejectionReason(state), session_id)))
    if touch and not core.in_transaction:
        if _is_touch_due(core, record, now):
            touched = yield from _touch(record, now)
            if touched is None:
                return (yield from _refuse(core, Rejection(RejectionReason.UNKNOWN, session_id)))
            record = touched
        if verdict is _OUTDATED:
            record = yield from _rewrite(core, record, secret)
    return Session(record)


def _refuse(core: Core, rejection: Rejection) -> Flow[Rejection]:
    if core.observers["session_rejected"]:
        yield Tell("session_rejected", (rejection,))
    return rejection


def _unauthentic(core: Core, record: Record, verdict: Verdict) -> Rejection:
    if verdict is Verdict.WRONG:
        return Rejection(RejectionReason.WRONG_SECRET, record.id)
    _log_unknown_pepper(core, record.pepper_id)
    return Rejection(RejectionReason.UNKNOWN_PEPPER, record.id)


def _log_unknown_pepper(core: Core, pepper_id: str) -> None:
    if pepper_id not in core.unknown_peppers:
        core.unknown_peppers.add(pepper_id)
        logger.error(
            "sessions under the pepper id %.64r are refused, since no such pepper is configured; "
            "`coatcheck pepper status` counts them",
            pepper_id,
        )


def _is_touch_due(core: Core, record: Record, now: Milliseconds) -> bool:
    interval = core.config.touch_interval
    timeout = record.inactivity_timeout
    if timeout is not None and timeout < interval * 10:
        interval = timeout // 10
    return now - record.last_used_at >= interval


def _touch(record: Record, now: Milliseconds) -> Flow[Record | None]:
    """The record as touched, as it was if that failed, `None` if the session is gone."""
    try:
        answer = yield Ask("touch", (record.id, now), Time.TENTH)
        if not truth_of("touch", answer):
            return None
    except BackendError as error:
        _log_failure(record.id, "its use was not recorded", error)
        return record
    return record._replace(last_used_at=max(now, record.last_used_at))


def _rewrite(core: Core, record: Record, secret: Secret[bytes]) -> Flow[Record]:
    """The record under today's hash, or as it was if that failed or another was faster."""
    hasher = core.config.hasher
    try:
        if hasher.is_slow:
            new = yield Work(hasher.hash, (record.id, record.user_id, secret))
        else:
            new = hasher.hash(record.id, record.user_id, secret)
        args = (record.id, record.key_hash, new, hasher.pepper_id)
        replaced = yield Ask("replace_key_hash", args, Time.TENTH)
        if not truth_of("replace_key_hash", replaced):
            return record
    except BackendError as error:
        _log_failure(record.id, "its outdated hash was not rewritten", error)
        return record
    return record._replace(key_hash=new, pepper_id=hasher.pepper_id)


def _log_failure(session_id: UUID, what: str, error: BackendError) -> None:
    # The kind of error only: a backend's own words might say more than a log may hold.
    logger.warning("session %s: %s (%s)", session_id, what, type(error).__name__)
