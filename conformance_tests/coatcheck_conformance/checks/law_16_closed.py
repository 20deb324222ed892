"""A store that cannot answer is an error; what fails after a good read is only logged."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from coatcheck import (
    BackendError,
    BackendUnavailable,
    OutcomeUnknown,
    Session,
    WouldBlock,
    remaining,
)

from ..clock import LONG
from ..frame.expecting import equal, holds, identical, raises
from ..frame.registry import check
from ..frame.stage import PEPPERS, Stage
from ..frame.trying import for_all

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


HOOKS = st.sampled_from(sorted(_calls(UUID(int=0), "")))
SCANNING = {"purge", "pepper_counts"}
COMPOSED = {"count", "update_where", "delete_where", "purge", "pepper_counts"}


def within_reach(stage: Stage, hooks: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Those hooks that are asked at all."""
    return hooks if stage.scans else hooks.filter(lambda hook: hook not in SCANNING)


@check(16)
def a_store_that_fails_is_an_error_and_neither_a_session_nor_a_refusal(stage: Stage) -> None:
    @for_all(stage, hook=within_reach(stage, HOOKS), error=FAILURES, wait=st.integers(0, 100))
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
        if reads:
            holds(not isinstance(caught.value, OutcomeUnknown), "of a read the outcome is known")
        stage.relay.reset()
        equal(stage.record(issued.session.id), before)
        assert sessions.validate(issued.token), "and it is good again"


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
