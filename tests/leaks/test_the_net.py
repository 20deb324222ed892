"""The search for leaks finds each kind of leak that is planted, or it would prove nothing."""

from __future__ import annotations

import base64
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from canaries import OURS, Canaries, Net
from coatcheck import IssuedSession, Rejection, RejectionReason, Secret, SessionManager
from coatcheck_conformance.frame.spelling import unspell

PEPPER = "canary pepper: 7Gh2kQ9vX4mB8nT1, of more than thirty-two bytes"


@pytest.fixture(scope="module")
def issued() -> IssuedSession:
    with SessionManager.open("memory:", pepper=PEPPER) as sessions:
        return sessions.issue("ann", method="password")


@pytest.fixture
def canaries(issued: IssuedSession) -> Canaries:
    canaries = Canaries()
    canaries.token(issued.token)
    canaries.secret("pepper", PEPPER)
    canaries.key_hash(
        "$hmac-sha256$v=1$keyid=0123456789abcdef$c2FsdHNhbHQ$ZGlnZXN0ZGlnZXN0ZGlnZXN0"
    )
    return canaries


@pytest.fixture
def net() -> Net:
    return Net()


def run_as_ours(code: str, **names: Any) -> None:
    """Run code in a frame that looks like one of coatcheck's."""
    exec(compile(code, f"{OURS[0]}/planted.py", "exec"), {"__name__": "planted"}, names)


def names_of(net: Net, canaries: Canaries) -> set[str]:
    return {name for name, _ in net.leaks(canaries)}


def test_nothing_is_found_where_there_is_nothing(net: Net, canaries: Canaries) -> None:
    net.caught.append(("log", "a line with the session 01890000-0000-7000-8000-000000000000"))
    net.show("secret", Secret(PEPPER))
    net.show("rejection", Rejection(RejectionReason.UNKNOWN))
    assert names_of(net, canaries) == set()


FORMS: dict[str, Callable[[bytes], Any]] = {
    "hexadecimal": bytes.hex,
    "a repr": repr,
    "a number": int.from_bytes,
    "base64": lambda secret: base64.b64encode(secret).decode(),
    "base64 of something around it": lambda secret: base64.b64encode(b"x" + secret + b"yz"),
    "base64url a little further": lambda secret: base64.urlsafe_b64encode(b"xy" + secret),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_secret_is_found_in_every_form(
    net: Net, canaries: Canaries, issued: IssuedSession, form: Callable[[bytes], Any]
) -> None:
    net.caught.append(("somewhere", f"before {form(unspell(issued.token)[1])} after"))
    assert "secret in the token" in names_of(net, canaries)


@pytest.mark.parametrize("logger", ["coatcheck", "sqlalchemy.engine", "somebody.else"])
def test_a_log_line_is_heard(
    net: Net, canaries: Canaries, issued: IssuedSession, logger: str
) -> None:
    with net.listening():
        logging.getLogger(logger).debug("the token %s was refused", issued.token)
    assert "token" in names_of(net, canaries)


def test_an_argument_of_a_log_line_that_is_not_shown_is_heard_too(
    net: Net, canaries: Canaries
) -> None:
    with net.listening():
        logging.getLogger("coatcheck").debug("all is well", extra={"config": [PEPPER]})
    assert names_of(net, canaries) == {"pepper"}


def test_an_exception_is_searched_with_all_that_hangs_on_it(net: Net, canaries: Canaries) -> None:
    error = ValueError("outer")
    error.__cause__ = ValueError("in between")
    error.__cause__.__context__ = KeyError(PEPPER)
    net.error("planted", error)
    assert names_of(net, canaries) == {"pepper"}


def test_a_note_on_an_exception_is_searched(net: Net, canaries: Canaries) -> None:
    error = ValueError("outer")
    error.add_note(f"the pepper was {PEPPER}")
    net.error("planted", error)
    assert names_of(net, canaries) == {"pepper"}


@pytest.mark.parametrize("held", ["held = pepper", "held = [(1, {'key': pepper})]",
                                  "held = pepper.encode()"])  # fmt: skip
def test_a_local_of_our_frames_is_searched(net: Net, canaries: Canaries, held: str) -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        run_as_ours(f"{held}; 1 / 0", pepper=PEPPER)
    net.error("planted", raised.value)
    assert names_of(net, canaries) == {"pepper"}


def test_a_hash_may_be_in_a_local_and_not_in_words(net: Net, canaries: Canaries) -> None:
    phc = "$hmac-sha256$v=1$keyid=0123456789abcdef$c2FsdHNhbHQ$ZGlnZXN0ZGlnZXN0ZGlnZXN0"
    with pytest.raises(ZeroDivisionError) as raised:
        run_as_ours("held = phc; 1 / 0", phc=phc)
    net.error("planted", raised.value)
    assert names_of(net, canaries) == set()
    net.error("planted", ValueError("the salt was c2FsdHNhbHQ"))
    assert names_of(net, canaries) == {"key hash"}


class Open:
    """Shows what it should hide, in one way alone."""

    def __init__(self, **ways: Any) -> None:
        for name, way in ways.items():
            setattr(type(self), name, way)


@pytest.mark.parametrize(
    "way",
    [{"__repr__": lambda _: PEPPER}, {"__str__": lambda _: PEPPER},
     {"__format__": lambda *_: PEPPER}, {"__rich_repr__": lambda _: iter([PEPPER])},
     {"__rich__": lambda _: PEPPER}, {"__reduce_ex__": lambda *_: (str, (PEPPER,))}],
    ids=lambda way: next(iter(way)),
)  # fmt: skip
def test_every_way_of_showing_an_object_is_tried(
    net: Net, canaries: Canaries, way: dict[str, Any]
) -> None:
    net.show("planted", type("Planted", (Open,), {})(**way))
    assert "pepper" in names_of(net, canaries)


def test_what_is_printed_is_read(net: Net, canaries: Canaries, tmp_path: Path) -> None:
    with net.reading_output(tmp_path):
        os.write(2, PEPPER.encode())
    assert names_of(net, canaries) == {"pepper"}


def test_a_file_is_searched_byte_by_byte(canaries: Canaries, issued: IssuedSession) -> None:
    secret = unspell(issued.token)[1]
    assert canaries.found_in_bytes(b"\0\xff" * 99) == []
    assert canaries.found_in_bytes(b"\0\xff" + PEPPER.encode()) == ["pepper"]
    for form in (secret, secret.hex().encode(), base64.b64encode(secret)):
        assert "secret in the token" in canaries.found_in_bytes(b"\xff\0" + form + b"\0")
