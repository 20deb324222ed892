"""A store that cannot answer is an error; what fails after a good read is only logged."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from coatcheck import (
    BackendError,
    BackendUnavailable,
    OutcomeUnknown,
    Record,
    Session,
    SessionRef,
    WouldBlock,
    remaining,
)

from ..clock import LONG
from ..frame.expecting import equal, identical, raises
from ..frame.registry import check
from ..frame.stage import PEPPERS, Stage
from ..frame.trying import for_all
from ..model import facts_of

FAILURES = st.sampled_from(
    (
        BackendUnavailable("down"),
        OutcomeUnknown("lost"),
        WouldBlock("busy"),
        ConnectionResetError("reset"),
        TimeoutError(),
        ValueError("a driver's own"),
        KeyError("key"),
        ZeroDivisionError(),
    )
)


def _failing(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object) -> Any:
        raise error

    return fail


def _calls(session_id: UUID, token: str) -> dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]]:
    """By hook, a call that cannot do without it."""
    return {
        "load": ("validate", (token,), {}),
        "load of get": ("get", (session_id,), {}),
        "insert": ("issue", ("user",), {"method": "password"}),
        "update": ("update", (session_id,), {"scopes": ()}),
        "delete": ("revoke", (session_id,), {}),
        "find": ("find", (), {"user_id": "user"}),
        "count": ("count", (), {"user_id": "user"}),
        "update_where": ("update_all", (), {"user_id": "user", "scopes": ()}),
        "delete_where": ("revoke_all", (), {"user_id": "user"}),
        "purge": ("purge", (), {}),
        "pepper_counts": ("pepper_status", (), {}),
        "ping": ("ping", (), {}),
    }


VALUES: tuple[object, ...] = (None, 1, 1.5, "x", b"x", [], {}, True, object())
HOOKS = st.sampled_from(sorted(_calls(UUID(int=0), "")))
SCANNING = {"purge", "pepper_counts"}
COMPOSED = {"count", "update_where", "delete_where", "purge", "pepper_counts"}


def _within_reach(stage: Stage, hooks: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Those hooks that are asked at all."""
    return hooks if stage.scans else hooks.filter(lambda hook: hook not in SCANNING)


@check(16)
def a_store_that_fails_is_an_error_and_neither_a_session_nor_a_refusal(stage: Stage) -> None:
    @for_all(stage, hook=_within_reach(stage, HOOKS), error=FAILURES, wait=st.integers(0, 100))
    def check(hook: str, error: BaseException, wait: int) -> None:
        sessions = stage.manager(fallback_peppers=(PEPPERS[1],))
        issued = stage.manager(pepper=PEPPERS[1]).issue("user", method="password")
        stage.clock.move(timedelta(seconds=wait))
        assert sessions.validate(issued.token, touch=False), "it was good a moment ago"
        name, args, kwargs = _calls(issued.session.id, issued.token)[hook]
        # What the core composes begins with a page of what it is to change.
        composed = hook in COMPOSED and not stage.has(hook)
        asked = "find" if composed else hook.split(maxsplit=1)[0]
        before = stage.record(issued.session.id)
        stage.relay.instead[asked] = _failing(error)
        with raises(BackendError) as caught:
            getattr(sessions, name)(*args, **kwargs)
        assert error in (caught.value, caught.value.__cause__)
        reads = asked in ("load", "find", "count", "pepper_counts", "ping")
        assert not (reads and isinstance(caught.value, OutcomeUnknown))
        stage.relay.reset()
        equal(stage.record(issued.session.id), before)
        assert sessions.validate(issued.token), "and it is good again"


def _an_error_of(session_id: UUID) -> Any:
    return raises(BackendError, match=str(session_id))


class Keeping(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@contextmanager
def _log(name: str = "coatcheck") -> Generator[list[logging.LogRecord]]:
    handler = Keeping()
    logger = logging.getLogger(name)
    logger.addHandler(handler)
    try:
        yield handler.records
    finally:
        logger.removeHandler(handler)


@check(16)
def a_touch_or_rewrite_that_fails_is_logged_and_the_session_is_good(stage: Stage) -> None:
    hooks = st.sampled_from(("touch", "replace_key_hash", "both"))

    @for_all(stage, hook=hooks, error=FAILURES, wait=st.integers(61, 10**6))
    def check(hook: str, error: BaseException, wait: int) -> None:
        sessions = stage.manager(fallback_peppers=(PEPPERS[1],))
        issuer = stage.manager(pepper=PEPPERS[1])
        issued = issuer.issue("user", method="password", inactivity_timeout=LONG)
        stage.clock.move(timedelta(seconds=wait))
        failing = ("touch", "replace_key_hash") if hook == "both" else (hook,)
        for name in failing:
            stage.relay.instead[name] = _failing(error)
        with _log() as log:
            answer = sessions.validate(issued.token)
        assert isinstance(answer, Session)
        equal([record.levelname for record in log], ["WARNING"] * len(failing))
        assert all(str(issued.session.id) in record.getMessage() for record in log)
        touched = answer.last_used_at != issued.session.last_used_at
        identical(touched, "touch" not in failing, "the answer shows what was stored")
        identical(answer.pepper_id != issued.session.pepper_id, "replace_key_hash" not in failing)


@check(16)
def what_a_validation_can_do_without_gets_a_tenth_of_the_deadline(stage: Stage) -> None:
    @for_all(stage, seconds=st.sampled_from((10, 20, 60)), wait=st.integers(61, 10**6))
    def check(seconds: int, wait: int) -> None:
        deadline = timedelta(seconds=seconds)
        sessions = stage.manager(fallback_peppers=(PEPPERS[1],), deadline=deadline)
        issuer = stage.manager(pepper=PEPPERS[1])
        issued = issuer.issue("user", method="password", inactivity_timeout=LONG)
        stage.clock.move(timedelta(seconds=wait))
        left: dict[str, float] = {}

        def note(hook: str) -> None:
            left[hook] = remaining()

        for hook in ("load", "touch", "replace_key_hash"):
            stage.meanwhile(hook, partial(note, hook))
        assert sessions.validate(issued.token)
        equal(set(left), {"load", "touch", "replace_key_hash"})
        assert left["load"] <= seconds
        assert max(left["touch"], left["replace_key_hash"]) <= seconds / 10


@check(16)
def nonsense_from_the_backend_is_never_a_session(stage: Stage) -> None:
    kinds = ("other session", "other user", "no record", "text", "types", "dict", "number")

    @for_all(stage, kind=st.sampled_from(kinds), field=st.sampled_from(Record._fields),
             value=st.sampled_from(VALUES))  # fmt: skip
    def check(kind: str, field: str, value: object) -> None:
        sessions = stage.manager()
        issued = sessions.issue("ann", method="password", scopes={"read"})
        other = sessions.issue("bob", method="password", scopes={"admin"})
        row, second = stage.record(issued.session.id), stage.record(other.session.id)
        optional = field in ("expires_at", "inactivity_timeout") and value is None
        fits = type(value) is type(getattr(row, field)) or optional
        answers: dict[str, object] = {
            "other session": second,
            "other user": row._replace(user_id="bob"),
            "no record": tuple(row),
            "text": "a session",
            "types": row._replace(**{field: value if not fits else b"\x00"}),
            "dict": row._asdict(),
            "number": 1,
        }

        def answer(_: UUID) -> object:
            return answers[kind]

        stage.relay.instead["load"] = answer
        for call in (partial(sessions.validate, issued.token), partial(sessions.get, row.id)):
            # Another user's row has a hash that does not fit, which only validate can see.
            expected = nullcontext() if kind == "other user" else _an_error_of(row.id)
            with expected:
                assert not call() or kind == "other user"
        if kind == "other user":
            equal(sessions.validate(issued.token).reason, "wrong_secret")


@check(16)
def nonsense_about_many_sessions_is_an_error(stage: Stage) -> None:
    hooks = st.sampled_from(("find", "count", "update_where", "delete_where", "purge", "delete",
                             "update", "pepper_counts"))  # fmt: skip

    nonsense = (
        st.sampled_from((None, 1.5, "x", b"x", (), {1: 2}, True, -1))
        | st.text()
        | (st.integers(max_value=-1))
    )

    @for_all(stage, hook=_within_reach(stage, hooks), value=nonsense, wrong=st.booleans())
    def check(hook: str, value: object, wrong: bool) -> None:
        sessions = stage.manager()
        ids = sorted(sessions.issue(user, method="x").session.id for user in ("ann", "bob"))
        rows = [stage.record(session_id) for session_id in ids]
        if hook == "find" and wrong:
            # Out of order, doubled, too many, or not what was asked for.
            value = (rows[::-1], [rows[0]] * 2, rows * 60, rows)[len(repr(value)) % 4]
        elif hook == "delete" and value is None:
            value = SessionRef(ids[1], "bob", "x")
        elif hook == "update" and value is None:
            value = rows[1]
        stage.relay.instead[hook] = lambda *_: value
        calls: dict[str, Callable[[], object]] = {
            "find": lambda: sessions.find(user_id="nobody"),
            "count": lambda: sessions.count(user_id="ann"),
            "update_where": lambda: sessions.update_all(user_id="ann", scopes=()),
            "delete_where": lambda: sessions.revoke_all(user_id="ann"),
            "purge": sessions.purge,
            "delete": lambda: sessions.revoke(ids[0]),
            "update": lambda: sessions.update(ids[0], scopes=()),
            "pepper_counts": sessions.pepper_status,
        }
        if hook in COMPOSED and not stage.has(hook):
            stage.relay.instead["find"] = lambda *_: value
        with raises(BackendError):
            calls[hook]()


@check(16)
def a_row_that_cannot_be_read_is_an_error_with_its_id_and_can_be_revoked(stage: Stage) -> None:
    bad = st.sampled_from(
        ("", "x", "$hmac-sha256$v=1$", "$argon2id$v=19$m=99999999,t=1,p=1,keyid=")
    )

    @for_all(stage, bad=bad, tail=st.text("0123456789abcdef$+/A", max_size=90))
    def check(bad: str, tail: str) -> None:
        sessions = stage.manager()
        issued = sessions.issue("user", method="password")
        row = stage.record(issued.session.id)
        stage.put(row._replace(key_hash=bad + tail))
        with raises(BackendError, match=str(row.id)):
            sessions.validate(issued.token)
        identical(sessions.revoke(row.id), True)
        equal(sessions.validate(issued.token).reason, "unknown")


@check(16, shares=False)
def a_damaged_row_is_an_error_with_its_id_and_harms_no_other(stage: Stage) -> None:
    @for_all(stage, others=st.integers(0, 3), place=st.integers(0, 3), every=st.booleans())
    def check(others: int, place: int, every: bool) -> None:
        sessions = stage.manager()
        issued = [sessions.issue("user", method="x", scopes={"s"}) for _ in range(others + 1)]
        bad = issued.pop(place % (others + 1))
        stage.harness.corrupt(bad.session.id)
        for read in (
            partial(sessions.validate, bad.token),
            partial(sessions.validate, bad.token, touch=False),
            partial(sessions.get, bad.session.id),
        ):
            with _an_error_of(bad.session.id):
                _read(read())
        with raises(BackendError):
            for each in sessions.find(user_id="user"):
                _read(each)
        for each in issued:
            equal(sessions.validate(each.token).scopes, {"s"}, "the others are as they were")
            assert sessions.get(each.session.id), "the others are as they were"
        if every:
            refs = sessions.revoke_all(user_id="user")
            equal(len(refs), others + 1, "signing out everywhere works all the same")
        else:
            identical(sessions.revoke(bad.session.id), True, "it can be revoked")
        equal(sessions.validate(bad.token).reason, "unknown")
        assert sessions.get(bad.session.id) is None
        for each in issued:
            identical(bool(sessions.validate(each.token)), not every)


def _read(session: Any) -> None:
    """All of it, since times and metadata may be read when they are asked for."""
    assert session, "it is there, and was not refused"
    facts_of(session)
