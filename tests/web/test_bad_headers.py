"""Bad `Authorization` and `Cookie` fields through the socket, byte for byte, while the store
fails in one of a hundred calls: nobody gets in, nothing breaks, and no field is injected.

`COATCHECK_BAD_HEADERS=100000` tries that many on each service instead of some hundreds.
"""

from __future__ import annotations

import os
import random
import re
import socket
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from http.client import HTTPResponse

import pytest

from web_worlds import COOKIE, World

REQUESTS = int(os.environ.get("COATCHECK_BAD_HEADERS", "400"))
PAGES = ("GET /me", "GET /who", "POST /notes", "POST /logout", "GET /count", "POST /who")
ALPHABET = bytes(set(range(256)) - {*b"\r\n"})
BAD = ("revoked", "expired", "inactive", "unknown_pepper", "forged", "malformed", "not ours")
# An answer's fields that only the policy may have written, and what it may have said there.
OWN_FIELDS = {
    "www-authenticate": re.compile(r'Bearer( error="(invalid_request|invalid_token)")?'),
    "set-cookie": re.compile(rf"{COOKIE}=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"),
    "cache-control": re.compile("no-store"),
    "retry-after": re.compile("1"),
}


class Wire:
    """A connection on which requests are written as bytes."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def ask(self, page: str, fields: list[bytes]) -> tuple[int, list[tuple[str, str]], bytes]:
        """The status, the fields and the body of the answer."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), 30)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = f"{page} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nContent-Length: 0\r\n"
        self._socket.sendall(b"".join([head.encode(), *(f + b"\r\n" for f in fields), b"\r\n"]))
        answer = HTTPResponse(self._socket)
        answer.begin()
        try:
            body = answer.read()
        except ConnectionResetError:
            # A server that found no HTTP in the request answers and hangs up, with the rest of
            # the request unread.
            assert answer.status == HTTPStatus.BAD_REQUEST
            body = b""
        if answer.will_close:
            self.close()
        return answer.status, [(name.lower(), value) for name, value in answer.getheaders()], body

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def bad_fields(here: World, seed: int) -> Iterator[list[bytes]]:
    """Fields with no good token as RFC 6750 and RFC 6265 would have it."""
    chosen = random.Random(seed)
    good = here.token().encode()
    bad = [here.token(kind).encode() for kind in BAD]
    while True:
        token = chosen.choice([*bad, garbage(chosen), edited(chosen, good), edited(chosen, good)])
        yield chosen.choice(SHAPES)(chosen, token, good)


def garbage(chosen: random.Random) -> bytes:
    return bytes(chosen.choices(ALPHABET, k=chosen.choice([0, 1, 3, 20, 70, 600])))


def edited(chosen: random.Random, good: bytes) -> bytes:
    """A good token with one change that no reader may undo."""
    place = chosen.randrange(len(good))
    other = chosen.choice([byte for byte in ALPHABET if byte not in {good[place], *b" \t"}])
    return chosen.choice(
        [
            good[:place] + bytes([other]) + good[place + 1 :],
            good[:place] + good[place + 1 :],
            good[:place] + bytes([other]) + good[place:],
            good + b"=",
            good.upper(),
            good[: place + 1] + b"\0" + good[place + 1 :],
            b"%" + good.hex().encode(),
        ]
    )


def header(name: bytes, value: bytes) -> bytes:
    return name + b": " + value


def carried(value: bytes) -> bytes:
    return header(b"Cookie", f"{COOKIE}=".encode() + value)


OURS = b"Sec-Fetch-Site: same-origin"
SHAPES = [
    lambda _, token, good: [header(b"Authorization", b"Bearer " + token)],
    lambda _, token, good: [header(b"authorization", b"bearer" + token)],
    lambda _, token, good: [header(b"Authorization", token)],
    lambda _, token, good: [header(b"Authorization", b"Basic " + token)],
    lambda _, token, good: [header(b"Authorization", b"Bearer " + good + b" " + token + b"x")],
    lambda _, token, good: [header(b"Authorization", b"Bearer " + good + b"," + token)],
    lambda _, token, good: [header(b"Authorization", b'Bearer "' + good + b'"')],
    lambda _, token, good: [header(b"Authorization", b"Bearer " + good), carried(good), OURS],
    lambda _, token, good: [header(b"Authorization", b"Bearer " + good)] * 2,
    lambda _, token, good: [carried(token), OURS],
    lambda _, token, good: [carried(b'"' + good + b'"'), OURS],
    lambda _, token, good: [carried(good), carried(good), OURS],
    lambda _, token, good: [carried(good + b"; " + COOKIE.encode() + b"=" + good), OURS],
    lambda _, token, good: [header(b"Cookie", b"__host-session=" + good), OURS],
    lambda _, token, good: [header(b"Cookie", token), OURS],
    lambda _, token, good: [header(b"X-Authorization", b"Bearer " + good)],
    lambda _, token, good: [header(b"Authorization", b"Bearer\r\n\tx" + good)],
    lambda chosen, token, good: [
        header(b"Authorization", b"Bearer " + token),
        b"x" + garbage(chosen),
    ],
]


def test_nobody_gets_in_by_bad_headers_and_nothing_breaks(here: World) -> None:
    fields, chosen, seen = bad_fields(here, 5), random.Random(6), Counter[int]()
    next(fields)  # all kinds of tokens are there from now on
    before = [here.operator.count(live=live) for live in (True, False)]
    here.store.share = 0.01
    wire = Wire(here.port)
    for _ in range(REQUESTS):
        page, given = chosen.choice(PAGES), next(fields)
        status, pairs, body = wire.ask(page, given)
        seen[status] += 1
        check(page, given, status, pairs, body)
    wire.close()
    here.store.mend()
    assert [here.operator.count(live=live) for live in (True, False)] == before
    assert here.client.get("/me", headers={"Authorization": f"Bearer {here.token()}"}).is_success
    assert {200, 400, 401} <= set(seen)
    print(f"\n  {here.service.name}: {REQUESTS:,} requests, answered", dict(sorted(seen.items())))  # noqa: T201


def check(
    page: str, given: list[bytes], status: int, pairs: list[tuple[str, str]], body: bytes
) -> None:
    """Whether this may be the answer to somebody who is not signed in."""
    shown = (page, given, status, pairs, body)
    if page in {"GET /me", "POST /notes"}:
        assert status in {400, 401, 403, 431, 503}, shown
    else:
        assert status in {200, 400, 401, 403, 431, 503}, shown
    assert b'"ann"' not in body, shown
    assert b'"revoked": true' not in body, shown
    if status == 503:
        assert not any(name in {"set-cookie", "www-authenticate"} for name, _ in pairs), shown
    for name, value in pairs:
        if name in OWN_FIELDS:
            assert OWN_FIELDS[name].fullmatch(value), shown


@pytest.fixture
def wire(here: World) -> Iterator[Wire]:
    wire = Wire(here.port)
    yield wire
    wire.close()


def test_the_same_wire_lets_the_right_one_in(here: World, wire: Wire) -> None:
    """Or the test above would see no difference."""
    status, _, body = wire.ask(
        "GET /me", [header(b"Authorization", b"Bearer " + here.token().encode())]
    )
    assert (status, b"ann" in body) == (200, True)
    status, _, body = wire.ask("POST /notes", [carried(here.token().encode()), OURS])
    assert status == 200
