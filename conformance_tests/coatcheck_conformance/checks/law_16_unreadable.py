"""What cannot be read, or makes no sense, is an error that names the session; it can be revoked."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from coatcheck import BackendError, Record, SessionRef

from ..frame.expecting import equal, identical, raises
from ..frame.registry import check
from ..frame.stage import Stage
from ..frame.trying import for_all
from ..model import facts_of
from .law_16_closed import COMPOSED, within_reach

VALUES: tuple[object, ...] = (None, 1, 1.5, "x", b"x", [], {}, True, object())


def _an_error_of(session_id: UUID) -> Any:
    return raises(BackendError, match=str(session_id))


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

    @for_all(stage, hook=within_reach(stage, hooks), value=nonsense, wrong=st.booleans())
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
    @for_all(stage, others=st.integers(0, 3), place=st.integers(0, 3), scope=st.sampled_from("st"))
    def check(others: int, place: int, scope: str) -> None:
        sessions = stage.manager()
        issued = [sessions.issue("user", method="x", scopes={scope}) for _ in range(others + 1)]
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
            equal(sessions.validate(each.token).scopes, {scope}, "the others are as they were")
            assert sessions.get(each.session.id), "the others are as they were"
        identical(sessions.revoke(bad.session.id), True, "it can be revoked")
        equal(sessions.validate(bad.token).reason, "unknown")
        assert sessions.get(bad.session.id) is None
        equal({session.id for session in sessions.find(user_id="user")},
              {each.session.id for each in issued})  # fmt: skip


def _read(session: Any) -> None:
    """All of it, since times and metadata may be read when they are asked for."""
    assert session, "it is there, and was not refused"
    facts_of(session)
