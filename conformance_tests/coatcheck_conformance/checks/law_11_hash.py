"""Salt, pepper, session, user and secret enter the digest; a failure writes nothing."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from hypothesis import strategies as st

from coatcheck import BackendError, InvalidInput, Record, Rejection, Session, Where

from ..clock import EPOCH, MILLISECOND
from ..frame.expecting import equal
from ..frame.registry import check
from ..frame.spelling import spell, unspell
from ..frame.stage import PEPPERS, Stage
from ..frame.trying import for_all

SCHEMES: tuple[dict[str, Any], ...] = (
    {},
    {"salt_length": 8},
    {"hash_scheme": "argon2id", "argon2_memory_kib": 8, "argon2_time_cost": 1},
)
SCHEME = st.sampled_from(SCHEMES)
PHC_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def _validated(sessions: Any, token: str, **options: bool) -> Session | Rejection | BackendError:
    try:
        return cast(Session | Rejection, sessions.validate(token, **options))
    except BackendError as error:
        return error


def _is_no_session(answer: object) -> bool:
    return isinstance(answer, Rejection | BackendError)


@check(11)
def equal_secrets_never_give_equal_hashes(stage: Stage) -> None:
    """Of one session: a token keeps its secret while its hash is made anew at every rotation."""

    @for_all(stage, scheme=SCHEME, user=st.text("ab", min_size=1, max_size=8),
             turns=st.integers(2, 4))  # fmt: skip
    def check(scheme: dict[str, Any], user: str, turns: int) -> None:
        managers = [
            stage.manager(pepper=PEPPERS[n], fallback_peppers=(PEPPERS[1 - n],), **scheme)
            for n in (0, 1)
        ]
        issued = managers[0].issue(user, method="password")
        hashes = [stage.record(issued.session.id).key_hash]
        for turn in range(1, turns + 1):
            assert managers[turn % 2].validate(issued.token)
            hashes.append(stage.record(issued.session.id).key_hash)
        parts = [phc.split("$") for phc in hashes]
        equal(len({part[-2] for part in parts}), len(parts), "each has a salt of its own")
        equal(len({part[-1] for part in parts}), len(parts), "and a digest of its own")
        secret = unspell(issued.token)[1]
        for form in (secret.hex(), base64.b64encode(secret).decode().rstrip("=")):
            assert not any(form in phc for phc in hashes), "the secret is in no hash"


@check(11)
def a_hash_is_worthless_under_any_other_facts(stage: Stage) -> None:
    kinds = st.sampled_from(("session", "user", "salt", "pepper", "secret"))

    @for_all(stage, kind=kinds, scheme=SCHEME, place=st.integers(0, 200), to=st.integers(0, 62))
    def check(kind: str, scheme: dict[str, Any], place: int, to: int) -> None:
        sessions = stage.manager(fallback_peppers=(PEPPERS[1],), **scheme)
        issued = sessions.issue("ann", method="password")
        other = stage.manager(pepper=PEPPERS[1], **scheme).issue("bob", method="password")
        row, second = stage.record(issued.session.id), stage.record(other.session.id)
        session_id, secret = unspell(issued.token)
        token = issued.token
        if kind == "session":
            # The same user, pepper, salt and secret, so that only the id is another.
            row = row._replace(id=second.id)
            token = spell(second.id, secret)
        elif kind == "user":
            row = row._replace(user_id=("bob", "An", "ann ", "annn")[place % 4])
        elif kind == "salt":
            row = row._replace(key_hash=_edited(row.key_hash, -2, place, to))
        elif kind == "pepper":
            phc = row.key_hash.replace(row.pepper_id, second.pepper_id)
            row = row._replace(key_hash=phc, pepper_id=second.pepper_id)
        else:
            token = spell(session_id, (int.from_bytes(secret) ^ 1 << place).to_bytes(32))
        stage.put(row)
        before = stage.record(row.id)
        stage.relay.calls.clear()
        answer = sessions.validate(token)
        assert not answer
        equal(answer.reason, "wrong_secret")
        equal(stage.relay.writes, [])
        equal(stage.record(row.id), before)


def _edited(phc: str, part: int, place: int, to: int) -> str:
    """A PHC string with one character of one of its parts changed to another digit."""
    parts = phc.split("$")
    old = parts[part]
    place %= len(old)
    digits = PHC_DIGITS.replace(old[place], "")
    parts[part] = old[:place] + digits[to % len(digits)] + old[place + 1 :]
    return "$".join(parts)


@check(11)
def a_row_with_any_bit_flipped_is_never_a_session_of_somebody_else(stage: Stage) -> None:
    names = st.sampled_from(("id", "user_id", "key_hash", "digest", "case"))

    @for_all(stage, name=names, bit=st.integers(0, 6), place=st.integers(0, 200), scheme=SCHEME)
    def check(name: str, bit: int, place: int, scheme: dict[str, Any]) -> None:
        sessions = stage.manager(**scheme)
        issued = sessions.issue("user-42", method="password")
        row = stage.record(issued.session.id)
        stage.ask("delete", row.id, Where())
        if name == "id":
            changed = row._replace(id=UUID(int=row.id.int ^ 1 << place % 128))
        elif name == "digest":
            # Cut by one character or more, all of it gone, or one too long.
            cut = (1, 2, 22, 43, 44, 0)[place % 6]
            changed = row._replace(key_hash=row.key_hash[:-cut] if cut else row.key_hash + "A")
        elif name == "case":
            digest = row.key_hash.rpartition("$")[2]
            letters = [at for at, letter in enumerate(digest) if letter.isalpha()]
            at = len(row.key_hash) - len(digest) + letters[place % len(letters)]
            swapped = row.key_hash[at].swapcase()
            changed = row._replace(key_hash=row.key_hash[:at] + swapped + row.key_hash[at + 1 :])
        else:
            text = getattr(row, name)
            at = place % len(text)
            flipped = chr(ord(text[at]) ^ 1 << bit)
            changed = row._replace(**{name: text[:at] + flipped + text[at + 1 :]})
        stage.ask("insert", changed)
        stage.relay.calls.clear()
        assert _is_no_session(_validated(sessions, issued.token))
        equal(stage.relay.writes, [])
        equal(stage.record(changed.id), changed)


@check(11)
def a_changed_field_that_is_not_hashed_is_shown_as_it_is_or_is_an_error(stage: Stage) -> None:
    @for_all(stage, name=st.sampled_from(("method", "metadata", "pepper_id", "created_at",
                                          "last_used_at", "expires_at", "inactivity_timeout")),
             bit=st.integers(0, 62), place=st.integers(0, 200))  # fmt: skip
    def check(name: str, bit: int, place: int) -> None:
        sessions = stage.manager()
        issued = sessions.issue("user", method="password", metadata={"key": [1, "two", 3.0]})
        row = stage.record(issued.session.id)
        value = getattr(row, name)
        if isinstance(value, int):
            changed = value ^ 1 << bit
        else:
            at = place % len(value)
            changed = value[:at] + chr(ord(value[at]) ^ 1 << bit % 7) + value[at + 1 :]
        try:
            stage.put(row._replace(**{name: changed}))
        except (BackendError, InvalidInput):
            return  # no core would store that, and nobody can say what a store must do with it
        answer = _validated(sessions, issued.token, touch=False)
        _shown_as_it_is(row._replace(**{name: changed}), answer)


def _shown_as_it_is(row: Record, answer: object) -> None:
    if not isinstance(answer, Session):
        assert _is_no_session(answer)
        return
    for name in ("user_id", "method", "scopes", "pepper_id"):
        equal(getattr(answer, name), getattr(row, name))
    for name in ("created_at", "last_used_at", "expires_at", "inactivity_timeout", "metadata"):
        try:
            shown = getattr(answer, name)
        except BackendError as error:
            shown = error
        if isinstance(shown, BackendError):
            assert str(row.id) in str(shown)
        else:
            equal(shown, _in_python(getattr(row, name), like=shown))


def _in_python(value: Any, like: object) -> object:
    """A stored value, read a second time."""
    if isinstance(like, datetime):
        return EPOCH + value * MILLISECOND
    return value * MILLISECOND if isinstance(like, timedelta) else json.loads(value)


@check(11, shares=False)
def a_failed_validation_leaves_every_row_as_it_was(stage: Stage) -> None:
    failures = ("malformed", "unknown", "wrong_secret", "unknown_pepper", "expired", "inactive")
    stage.harness.rows()

    @for_all(stage, failure=st.sampled_from(failures), scheme=SCHEME, others=st.integers(0, 2),
             wait=st.integers(61, 10**6))  # fmt: skip
    def check(failure: str, scheme: dict[str, Any], others: int, wait: int) -> None:
        sessions = stage.manager(**scheme)
        issuer = stage.manager(pepper=PEPPERS[3]) if failure == "unknown_pepper" else sessions
        ends = {"expired": "lifetime", "inactive": "inactivity_timeout"}
        options: dict[str, Any] = {"lifetime": None, "inactivity_timeout": None}
        if failure in ends:
            options[ends[failure]] = timedelta(seconds=wait)
        issued = issuer.issue("user", method="password", **options)
        for _ in range(others):
            sessions.issue("other", method="password", lifetime=None)
        stage.clock.move(timedelta(seconds=wait))
        session_id, secret = unspell(issued.token)
        token = {
            "malformed": issued.token[:-1],
            "unknown": spell(UUID(int=session_id.int ^ 1), secret),
            "wrong_secret": spell(session_id, secret[::-1]),
        }.get(failure, issued.token)
        before = sorted(map(repr, stage.harness.rows()))
        equal(str(sessions.validate(token).reason), failure)
        equal(sorted(map(repr, stage.harness.rows())), before, "nothing was written")
