"""One token has one spelling, and what is malformed never reaches the store."""

from __future__ import annotations

from uuid import UUID

from hypothesis import assume
from hypothesis import strategies as st

from ..clock import MILLISECOND
from ..frame.expecting import equal, identical
from ..frame.registry import check
from ..frame.spelling import URLSAFE, spell, unspell
from ..frame.stage import Stage
from ..frame.trying import for_all

SECRET_LENGTHS = st.sampled_from((16, 17, 18, 31, 32, 33, 255))
PREFIXES = st.sampled_from(("cck", "ab", "a0", "sixteenletters16"))
KINDS = (
    "replace", "insert", "delete", "swap", "case", "append", "prepend", "spare bits",
    "other digits", "width", "blanks",
)  # fmt: skip
ANY = st.characters() | st.sampled_from(" \t\n\r\0=+/-_.%\uff10\uff21\u00ad\ud800")


def _edited(token: str, kind: str, place: int, letter: str) -> str:
    at = place % len(token)
    if kind == "replace":
        return token[:at] + letter + token[at + 1 :]
    if kind == "insert":
        return token[:at] + letter + token[at:]
    if kind == "delete":
        return token[:at] + token[at + 1 :]
    if kind == "swap":
        return token[at:] + token[:at]
    if kind == "case":
        return token[: place % 6].swapcase() + token[place % 6 :]
    if kind == "width":
        return token[:at] + chr(ord(token[at]) + 0xFEE0) + token[at + 1 :]
    if kind == "append":
        return token + letter * (place % 5 + 1)
    if kind == "prepend":
        return letter * (place % 5 + 1) + token
    if kind == "blanks":
        blank = " \t\n\r\u00a0"[place % 5]
        return blank + token if place % 2 else token + blank
    if kind == "other digits":
        return token.replace("-", "+").replace("_", "/") if place % 2 else token + "=" * (place % 3)
    last = URLSAFE.index(token[-1])
    return token[:-1] + URLSAFE[last ^ (place % 15 + 1)]


@check(12)
def any_edit_is_malformed_and_the_store_is_not_asked(stage: Stage) -> None:
    @for_all(stage, length=SECRET_LENGTHS, prefix=PREFIXES, kind=st.sampled_from(KINDS),
             place=st.integers(0, 10_000), letter=ANY)  # fmt: skip
    def check(length: int, prefix: str, kind: str, place: int, letter: str) -> None:
        sessions = stage.manager(secret_length=length, token_prefix=prefix)
        token = sessions.issue("user", method="password").token
        edited = _edited(token, kind, place, letter)
        assume(edited != token)
        stage.relay.calls.clear()
        answer = sessions.validate(edited)
        assert not answer
        equal((answer.reason, answer.session_id), ("malformed", None))
        equal(stage.relay.calls, [])


@check(12)
def a_token_is_spelt_as_the_documentation_says(stage: Stage) -> None:
    @for_all(stage, length=SECRET_LENGTHS, prefix=PREFIXES, other=PREFIXES,
             later=st.integers(0, 10**12))  # fmt: skip
    def check(length: int, prefix: str, other: str, later: int) -> None:
        stage.clock.move(later * MILLISECOND)
        sessions = stage.manager(secret_length=length, token_prefix=prefix)
        issued = sessions.issue("user", method="password")
        session_id, secret = unspell(issued.token)
        equal(session_id, issued.session.id)
        equal(session_id.version, 7)
        equal(session_id.int >> 80, stage.clock.milliseconds)
        equal(len(secret), length)
        equal(issued.token, spell(session_id, secret, prefix))
        assert len(issued.token) <= 512
        # The prefix is part of what the checksum covers, and no other prefix is taken.
        renamed = other + issued.token[len(prefix) :]
        identical(bool(sessions.validate(renamed)), other == prefix)
        identical(bool(sessions.validate(spell(session_id, secret, other))), other == prefix)


@check(12)
def a_wrong_token_with_a_right_checksum_is_told_from_a_malformed_one(stage: Stage) -> None:
    @for_all(stage, secret=st.binary(max_size=300), other=st.uuids(), known=st.booleans(),
             flip=st.integers(0, 31))  # fmt: skip
    def check(secret: bytes, other: UUID, known: bool, flip: int) -> None:
        sessions = stage.manager()
        session_id = sessions.issue("user", method="password").session.id
        named = session_id if known else other
        token = spell(named, secret)
        answer = sessions.validate(token)
        assert not answer
        if 16 <= len(secret) <= 255:
            equal(answer.reason, "wrong_secret" if known else "unknown")
            equal(answer.session_id, named)
        else:
            equal(answer.reason, "malformed")
        stage.relay.calls.clear()
        checksum = int.from_bytes(unspell_checksum(token)) ^ 1 << flip
        equal(sessions.validate(spell(named, secret, checksum=checksum)).reason, "malformed")
        equal(stage.relay.calls, [])


def unspell_checksum(token: str) -> bytes:
    """The last four bytes of a token."""
    import base64

    body = token.partition("_")[2]
    return base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))[-4:]
