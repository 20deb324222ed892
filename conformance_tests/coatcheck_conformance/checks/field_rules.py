"""Every value that a rule allows is kept, every other is refused by name and never echoed.

The rules do not ask the store, so the same value gets the same verdict over each.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from hypothesis import strategies as st

from coatcheck import InvalidInput

from .. import strategies as legal
from ..clock import MILLISECOND, START, rounded
from ..frame.expecting import equal, identical, raises
from ..frame.registry import check_of
from ..frame.stage import Stage
from ..frame.trying import for_all
from ..model import facts_of, same

SURROGATES: Final[tuple[Literal["Cs"]]] = ("Cs",)


def _refused(stage: Stage, field: str, call: Any, *args: Any, **kwargs: Any) -> str:
    """The call is refused, the field is named, and the store was not asked."""
    stage.relay.calls.clear()
    with raises(InvalidInput) as caught:
        call(*args, **kwargs)
    message = str(caught.value)
    assert message.startswith(field), message
    assert isinstance(caught.value, ValueError)
    equal(stage.relay.calls, [])
    return message


def _is_echoed(value: object, message: str) -> bool:
    """Whether the message quotes the value: what our own words have in them does not count."""
    if not isinstance(value, str | bytes) or len(value) < 6:
        return False
    text = value if isinstance(value, str) else value.decode("latin-1")
    return text in message or repr(text)[1:-1] in message


@check_of("field rules")
def texts_that_the_rules_allow_are_kept_and_others_refused_by_name(stage: Stage) -> None:
    values = legal.illegal_texts() | legal.unprintable_texts().map(lambda text: "canary" + text)

    @for_all(stage, value=values, field=st.sampled_from(("user_id", "method")))
    def check(value: Any, field: str) -> None:
        sessions = stage.manager()
        given = {"user_id": "user", "method": "password", field: value}
        message = _refused(stage, field, sessions.issue, given.pop("user_id"), **given)
        assert not _is_echoed(value, message)
        for call in (sessions.find, sessions.count, sessions.revoke_all):
            filters = {"user_id": "user", field: value}
            assert not _is_echoed(value, _refused(stage, field, call, **filters))
        _refused(stage, field, sessions.update_all, scopes=(), **{"user_id": "user", field: value})


@check_of("field rules")
def scopes_that_the_rules_do_not_allow_are_refused_by_name(stage: Stage) -> None:
    @for_all(stage, value=legal.illegal_scopes())
    def check(value: Any) -> None:
        sessions = stage.manager()
        issued = sessions.issue("user", method="password", scopes={"kept"})
        message = _refused(stage, "scopes", sessions.issue, "user", method="x", scopes=value)
        assert not any(_is_echoed(item, message) for item in _items(value))
        _refused(stage, "scopes", sessions.update, issued.session.id, scopes=value)
        _refused(stage, "scopes", sessions.update_all, user_id="user", scopes=value)
        equal(sessions.get(issued.session.id).scopes, {"kept"})
        for item in _items(value):
            if not isinstance(item, str) or not 1 <= len(item) <= 255 or " " in item:
                _refused(stage, "scope", sessions.find, user_id="user", scope=item)


def _items(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else []  # pyright: ignore[reportUnknownArgumentType]


@check_of("field rules")
def metadata_that_the_rules_do_not_allow_is_refused_by_name(stage: Stage) -> None:
    @for_all(stage, value=legal.illegal_metadata())
    def check(value: Any) -> None:
        sessions = stage.manager()
        issued = sessions.issue("user", method="password", metadata={"kept": 1})
        message = _refused(stage, "metadata", sessions.issue, "user", method="x", metadata=value)
        assert not _is_echoed(value, message)
        _refused(stage, "metadata", sessions.update, issued.session.id, metadata=value)
        _refused(stage, "metadata", sessions.update_all, user_id="user", metadata=value)
        equal(dict(sessions.get(issued.session.id).metadata), {"kept": 1})


@check_of("field rules")
def ends_that_the_rules_do_not_allow_are_refused_by_name(stage: Stage) -> None:
    @for_all(stage, ends=legal.illegal_ends(START))
    def check(ends: dict[str, Any]) -> None:
        sessions = stage.manager()
        issued = sessions.issue("user", method="password").session
        _refused(stage, next(iter(ends)), sessions.issue, "user", method="x", **ends)
        ends.pop("lifetime", None)
        for field, value in ends.items():
            if value is not None and value != START + timedelta(days=1):
                _refused(stage, field, sessions.update, issued.id, **{field: value})
                _refused(stage, field, sessions.update_all, user_id="user", **{field: value})
        equal(sessions.get(issued.id).valid_until, issued.valid_until)


@check_of("field rules")
def ids_and_flags_are_what_they_say_and_nothing_that_looks_like_it(stage: Stage) -> None:
    looks_like = st.sampled_from(
        (
            "01890000-0000-7000-8000-000000000000",
            "{01890000-0000-7000-8000-000000000000}",
            "urn:uuid:01890000-0000-7000-8000-000000000000",
            b"0123456789abcdef",
            7,
            None,
            1.5,
            (),
        )
    ) | st.text(max_size=40).map(lambda text: "canary" + text)
    looks_like_a_flag: tuple[object, ...] = (0, 1, None, "true", "", [], 1.0)
    no_flags = st.sampled_from(looks_like_a_flag)

    @for_all(stage, value=looks_like, flag=no_flags)
    def check(value: Any, flag: Any) -> None:
        sessions = stage.manager()
        for call, kwargs in (
            (sessions.get, {}), (sessions.revoke, {}), (sessions.update, {"scopes": ()}),
        ):  # fmt: skip
            message = _refused(stage, "session_id", call, value, **kwargs)
            assert not _is_echoed(value, message)
        _refused(stage, "keep", sessions.revoke_all, user_id="user", keep=[value])
        _refused(stage, "everyone", sessions.revoke_all, user_id="user", everyone=flag)
        _refused(stage, "live", sessions.find, user_id="user", live=flag)
        _refused(stage, "expired", sessions.purge, expired=flag)
        _refused(stage, "batch_size", sessions.purge, batch_size=flag if flag != 1 else 0)


@check_of("field rules")
def the_largest_that_is_allowed_is_kept_and_one_more_is_refused(stage: Stage) -> None:
    letters = st.characters(exclude_categories=("Cc", "Cs"))

    @for_all(stage, letter=letters, scope=st.sampled_from(legal.SCOPE_ALPHABET),
             microseconds=st.integers(0, 999))  # fmt: skip
    def check(letter: str, scope: str, microseconds: int) -> None:
        sessions = stage.manager()
        issued = sessions.issue(letter * 255, method=letter, scopes=_scopes(scope, 100))
        equal(sessions.get(issued.session.id).user_id, letter * 255)
        equal(len(sessions.get(issued.session.id).scopes), 100)
        _refused(stage, "user_id", sessions.issue, letter * 256, method="x")
        _refused(stage, "method", sessions.issue, "x", method=letter * 256)
        _refused(stage, "scopes", sessions.issue, "x", method="x", scopes=_scopes(scope, 101))
        _refused(stage, "scopes", sessions.issue, "x", method="x", scopes=[scope * 256])
        least = timedelta(seconds=1)
        almost = timedelta(milliseconds=999, microseconds=microseconds)
        assert sessions.issue("x", method="x", inactivity_timeout=least)
        _refused(stage, "inactivity_timeout", sessions.issue, "x", method="x",
                 inactivity_timeout=almost)  # fmt: skip
        # Rounded down before the rule is tested: less than a millisecond from now is now.
        soon = START + timedelta(microseconds=microseconds)
        _refused(stage, "expires_at", sessions.issue, "x", method="x", expires_at=soon)
        end = sessions.issue("x", method="x", expires_at=soon + MILLISECOND).session.expires_at
        equal(end, rounded(START) + MILLISECOND)
        last = datetime(8999, 12, 31, 23, 59, 59, 999_000 + microseconds, tzinfo=UTC)
        equal(sessions.issue("x", method="x", expires_at=last).session.expires_at, rounded(last))
        _refused(stage, "expires_at", sessions.issue, "x", method="x",
                 expires_at=last + MILLISECOND)  # fmt: skip
        most = timedelta(days=365_250)
        assert sessions.issue("x", method="x", lifetime=most)
        over = most + timedelta(microseconds=microseconds + 1)
        _refused(stage, "lifetime", sessions.issue, "x", method="x", lifetime=over)


def _scopes(letter: str, number: int) -> list[str]:
    return [letter * (n + 1) for n in range(number)]


@check_of("field rules")
def metadata_may_take_8_kib_of_utf_8_and_32_levels(stage: Stage) -> None:
    letters = st.characters(exclude_categories=SURROGATES, exclude_characters="\x00")

    @for_all(stage, letter=letters, levels=st.integers(30, 34), object_=st.booleans())
    def check(letter: str, levels: int, object_: bool) -> None:
        sessions = stage.manager()
        size = len(json.dumps(letter, ensure_ascii=False).encode()) - 2
        room = (8192 - len('{"":""}')) // size
        fits = {"": letter * room}
        issued = sessions.issue("x", method="x", metadata=fits)
        assert same(dict(sessions.get(issued.session.id).metadata), fits)
        over = {"": letter * (room + 1)}
        _refused(stage, "metadata", sessions.issue, "x", method="x", metadata=over)
        nested: Any = {}
        for _ in range(levels - 1):
            nested = {"": nested} if object_ else [nested]
        nested = nested if object_ else {"": nested}
        levels += not object_
        if levels <= 32:
            kept = sessions.issue("x", method="x", metadata=nested).session
            assert same(dict(facts_of(sessions.get(kept.id)).metadata), nested)
        else:
            _refused(stage, "metadata", sessions.issue, "x", method="x", metadata=nested)


@check_of("field rules")
def every_legal_filter_is_taken_and_every_id(stage: Stage) -> None:
    @for_all(stage, user=legal.texts(), scope=legal.scope_tokens(), session_id=st.uuids())
    def check(user: str, scope: str, session_id: UUID) -> None:
        sessions = stage.manager()
        equal(sessions.find(user_id=user, method=user, scope=scope, after=session_id), [])
        equal(sessions.count(user_id=user, pepper_id=user), 0)
        assert sessions.get(session_id) is None
        identical(sessions.revoke(session_id), False)
        assert sessions.update(session_id, scopes=(scope,)) is None
        equal(sessions.revoke_all(user_id=user, scope=scope, keep=[session_id]), [])
