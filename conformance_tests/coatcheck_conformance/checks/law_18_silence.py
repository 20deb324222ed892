"""No token, secret, pepper or hash reaches a log, a repr, a pickle or an exception."""

from __future__ import annotations

import base64
import logging
import pickle
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType
from typing import Any, cast

from hypothesis import strategies as st

from coatcheck import BackendUnavailable, Rejection, Session, hookimpl

from ..clock import LONG
from ..frame.expecting import equal, raises
from ..frame.observers import Recorder
from ..frame.registry import check
from ..frame.spelling import spell, unspell
from ..frame.stage import PEPPERS, Stage
from ..frame.trying import for_all

SUITE = __file__.rpartition("/checks/")[0]


def _spellings(token: str) -> set[str]:
    """A token and its secret, in whatever form they could be written down."""
    secret = unspell(token)[1]
    plain = {base64.b64encode(secret), base64.urlsafe_b64encode(secret)}
    coded = {code.decode().rstrip("=") for code in plain}
    return {token, token.partition("_")[2], secret.hex(), secret.hex().upper(),
            repr(secret)[2:-1], *coded}  # fmt: skip


@contextmanager
def _everything_logged() -> Generator[list[str]]:
    lines: list[str] = []
    handler = logging.Handler()
    formatter = logging.Formatter("%(message)s %(args)s")

    def emit(record: logging.LogRecord) -> None:
        lines.append(formatter.format(record))

    handler.emit = emit  # type: ignore[method-assign]
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


class Overheard:
    """What calls said, and what the frames of ours knew when they failed."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.known: list[str] = []

    def attempt(self, call: Any, *args: Any, **kwargs: Any) -> None:
        try:
            answer = call(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - its words are what is looked at
            self._failed(error)
            return
        self.said += [repr(answer), str(answer)]
        if isinstance(answer, Session | Rejection):
            self.said.append(repr(pickle.dumps(answer, 0)))

    def _failed(self, error: BaseException | None) -> None:
        while error is not None:
            self.said += [str(error), repr(error), repr(error.args), repr(vars(error))]
            self.known += _locals(error.__traceback__)
            error = error.__cause__ or error.__context__

    def secrets(self, canaries: set[str]) -> set[str]:
        """Those that were said or known."""
        heard = "\n".join(self.said + self.known)
        return {canary for canary in canaries if canary in heard}

    def hashes(self, canaries: set[str]) -> set[str]:
        """Those that were said. A hash is no secret of the client's: a local may hold it."""
        heard = "\n".join(self.said)
        return {canary for canary in canaries if canary in heard}


def _locals(traceback: TracebackType | None) -> list[str]:
    words: list[str] = []
    while traceback is not None:
        frame = traceback.tb_frame
        if not frame.f_code.co_filename.startswith(SUITE):
            words += [repr(value) for value in frame.f_locals.values()]
        traceback = traceback.tb_next
    return words


class Refusing:
    """An observer that refuses every session."""

    @hookimpl
    def session_issuing(self, session: Any) -> None:
        raise PermissionError("not today")


class Failing(Recorder):
    """An observer that always fails."""

    @hookimpl
    def session_rejected(self, rejection: Any) -> None:
        raise ValueError(f"cannot take {rejection!r}")


FORMS = st.sampled_from(
    ({}, {"hash_scheme": "argon2id", "argon2_memory_kib": 8, "argon2_time_cost": 1})
)
TROUBLES = st.sampled_from(
    ("none", "load", "touch", "replace_key_hash", "unknown pepper", "bad row", "observer")
)


@check(18)
def nothing_that_is_said_holds_a_secret(stage: Stage) -> None:
    @for_all(stage, trouble=TROUBLES, form=FORMS, wait=st.integers(0, 200), cut=st.integers(1, 70))
    def check(trouble: str, form: dict[str, Any], wait: int, cut: int) -> None:
        heard = Overheard()
        plugins = (stage.remembered("failing", Failing),) if trouble == "observer" else ()
        with _everything_logged() as log:
            sessions = stage.manager(fallback_peppers=(PEPPERS[1],), plugins=plugins, **form)
            other = PEPPERS[4] if trouble == "unknown pepper" else PEPPERS[1]
            issued = stage.manager(pepper=other).issue("user", method="x", inactivity_timeout=LONG)
            row = stage.record(issued.session.id)
            stage.clock.move(timedelta(seconds=wait))
            if trouble == "bad row":
                stage.put(row._replace(key_hash="?" + row.key_hash))
            elif trouble in ("touch", "replace_key_hash"):
                # Nobody but a log is told of these, and it gets none of the backend's words.
                stage.relay.instead[trouble] = _failing(BackendUnavailable(row.key_hash))
            elif trouble == "load":
                stage.relay.instead[trouble] = _failing(ConnectionResetError("reset"))
            session_id, secret = unspell(issued.token)
            wrong = spell(session_id, secret[::-1])
            for token in (
                issued.token,
                issued.token[:cut],
                issued.token + "x",
                issued.token.encode(),
                [issued.token],
                wrong,
            ):
                heard.attempt(sessions.validate, token)
            heard.said += map(repr, (issued, row, sessions.manager, vars_of(sessions.manager)))
        heard.said += [str(issued), *log]
        equal(heard.secrets({*_spellings(issued.token), wrong, *PEPPERS}), set[str]())
        equal(heard.hashes({row.key_hash, *row.key_hash.split("$")[-2:]}), set[str]())


def vars_of(manager: Any) -> list[object]:
    """What hangs on a manager itself."""
    names = [name for kind in type(manager).__mro__ for name in getattr(kind, "__slots__", ())]
    if hasattr(manager, "__dict__"):
        return list(cast(dict[str, object], vars(manager)).values())
    return [getattr(manager, name, None) for name in names]


def _failing(error: Exception) -> Any:
    def fail(*_: object) -> None:
        raise error

    return fail


@check(18)
def a_failed_issue_shows_nothing_of_what_it_made(stage: Stage) -> None:
    @for_all(stage, form=FORMS, how=st.sampled_from(("insert", "denied", "invalid")),
             word=st.text("abcdefghij", min_size=12, max_size=20))  # fmt: skip
    def check(form: dict[str, Any], how: str, word: str) -> None:
        heard = Overheard()
        hashes: set[str] = set()
        plugins = (stage.remembered("refusing", Refusing),) if how == "denied" else ()
        sessions = stage.manager(plugins=plugins, **form)

        def refuse(record: Any) -> None:
            hashes.update([record.key_hash, *record.key_hash.split("$")[-2:]])
            raise ConnectionResetError("reset")

        with _everything_logged() as log:
            if how == "invalid":
                heard.attempt(sessions.issue, word + "\n", method="x")
                heard.attempt(sessions.find, user_id="user", after=word)
                hashes.add(word)
            else:
                stage.relay.instead["insert"] = refuse
                heard.attempt(sessions.issue, "user", method="x")
        assert heard.said, "it did fail"
        heard.said += log
        equal(heard.secrets(set(PEPPERS)), set[str]())
        equal(heard.hashes(hashes), set[str]())


@check(18)
def what_holds_a_secret_cannot_be_pickled(stage: Stage) -> None:
    @for_all(stage, protocol=st.integers(0, pickle.HIGHEST_PROTOCOL), place=st.integers(0, 1000))
    def check(protocol: int, place: int) -> None:
        sessions = stage.manager()
        issued = sessions.issue(f"user-{place}", method="password")
        manager = getattr(sessions, "manager", sessions)
        for secret in (issued, manager):
            with raises(TypeError, match="cannot be pickled"):
                pickle.dumps(secret, protocol)
        session = sessions.validate(issued.token)
        copied = pickle.loads(pickle.dumps(session, protocol))
        equal(copied, session)
        equal(copied.metadata, session.metadata)
        rejection = sessions.validate(issued.token + "x")
        equal(pickle.loads(pickle.dumps(rejection, protocol)), rejection)


@check(18, shares=False)
def the_store_holds_no_secret(stage: Stage) -> None:
    stage.harness.rows()
    histories = st.lists(st.sampled_from(("use", "rotate", "refuse", "update")), max_size=4)

    @for_all(stage, form=FORMS, number=st.integers(1, 4), history=histories)
    def check(form: dict[str, Any], number: int, history: list[Any]) -> None:
        older = stage.manager(pepper=PEPPERS[1], touch_interval=timedelta(0))
        newer = stage.manager(fallback_peppers=(PEPPERS[1],), **form)
        issued = [older.issue(f"user-{n}", method="password") for n in range(number)]
        wrong = [spell(each.session.id, unspell(each.token)[1][::-1]) for each in issued]
        canaries = {*PEPPERS[:2], *(repr(pepper.encode())[2:-1] for pepper in PEPPERS[:2])}
        for token in (*wrong, *(each.token for each in issued)):
            canaries |= _spellings(token)
        for step in ("issue", *history):
            stage.clock.move(timedelta(minutes=2))
            for each, other in zip(issued, wrong, strict=True):
                if step == "update":
                    newer.update(each.session.id, metadata={"step": len(history)})
                elif step != "issue":
                    call = newer.validate if step == "rotate" else older.validate
                    call(other if step == "refuse" else each.token)
            rows = [repr(row) for row in stage.harness.rows()]
            assert rows, "rows() gives what is stored"
            held = "\n".join(rows)
            equal({canary for canary in canaries if canary in held}, set[str]())
