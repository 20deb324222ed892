"""Signing in and out, and the cookie between them, for every framework."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest

from coatcheck_conformance.frame.spelling import unspell
from web_worlds import COOKIE, World

OURS = {"Sec-Fetch-Site": "same-origin"}
SET = re.compile(rf"{COOKIE}=(cck_[\w-]+); Path=/; Max-Age=(\d+); HttpOnly; Secure; SameSite=Lax")
DELETED = f"{COOKIE}=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"
WEEK = timedelta(days=7).total_seconds()


def signed_in(here: World, headers: dict[str, str] | None = None, *, cookie: bool) -> Any:
    body = {"user": "ann", "cookie": cookie}
    return here.client.post("/login", json=body, headers=OURS | (headers or {}))


def cookie_set(answer: httpx2.Response) -> tuple[str, int]:
    """The token, and the age in seconds."""
    assert answer.headers["Cache-Control"] == "no-store"
    match = SET.fullmatch(answer.headers["Set-Cookie"])
    assert match, answer.headers["Set-Cookie"]
    return match[1], int(match[2])


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def carrying(token: str) -> dict[str, str]:
    return {"Cookie": f"{COOKIE}={token}"} | OURS


def id_of(token: str) -> UUID:
    return unspell(token)[0]


def status(here: World, headers: dict[str, str]) -> int:
    return here.client.get("/me", headers=headers).status_code


def test_a_browser_gets_a_cookie_that_lives_as_long_as_the_session(here: World) -> None:
    answer = signed_in(here, cookie=True)
    assert answer.json() == {"token": None}
    token, age = cookie_set(answer)
    assert WEEK - 60 <= age <= WEEK
    assert status(here, carrying(token)) == 200


def test_a_programme_gets_a_token_and_no_cookie(here: World) -> None:
    answer = signed_in(here, cookie=False)
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"
    assert status(here, bearer(answer.json()["token"])) == 200


def test_a_programme_needs_no_proof_of_its_origin_and_a_browser_does(here: World) -> None:
    for headers in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        for cookie, expected in ((False, 200), (True, 403)):
            body = {"user": "ann", "cookie": cookie}
            answer = here.client.post("/login", json=body, headers=headers)
            assert answer.status_code == expected
            assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("how", [bearer, carrying])
@pytest.mark.parametrize("cookie", [True, False])
def test_a_sign_in_ends_the_session_that_was_presented(here: World, how: Any, cookie: bool) -> None:
    old = signed_in(here, cookie=False).json()["token"]
    beside = signed_in(here, cookie=False).json()["token"]
    answer = signed_in(here, how(old), cookie=cookie)
    new = cookie_set(answer)[0] if cookie else answer.json()["token"]
    assert id_of(new) != id_of(old)
    assert status(here, bearer(old)) == 401
    assert status(here, bearer(new)) == status(here, bearer(beside)) == 200
    if how is carrying and not cookie:
        assert answer.headers["Set-Cookie"] == DELETED


def test_nobody_ends_a_session_by_its_id_alone(here: World) -> None:
    victim = here.operator.issue("bob", method="password")
    forged = here.token("forged")
    assert here.operator.get(id_of(forged)) is not None
    for path in ("/login", "/logout"):
        body = {"user": "ann", "cookie": False}
        assert here.client.post(path, json=body, headers=bearer(forged)).status_code == 200
    assert here.operator.get(id_of(forged)) is not None
    assert here.operator.get(victim.session.id) is not None


@pytest.mark.parametrize("how", [bearer, carrying])
def test_signing_out_ends_the_session_in_the_store_and_deletes_the_cookie(
    here: World, how: Any
) -> None:
    token = signed_in(here, cookie=False).json()["token"]
    first, second = (here.client.post("/logout", headers=how(token)) for _ in range(2))
    assert (first.json(), second.json()) == ({"revoked": True}, {"revoked": False})
    for answer in (first, second):
        assert answer.headers.get("Set-Cookie") == (DELETED if how is carrying else None)
        assert answer.headers["Cache-Control"] == "no-store"
    assert here.operator.get(id_of(token)) is None
    assert status(here, bearer(token)) == 401


def test_a_page_elsewhere_signs_nobody_out(here: World) -> None:
    token = signed_in(here, cookie=False).json()["token"]
    headers = carrying(token) | {"Sec-Fetch-Site": "same-site"}
    answer = here.client.post("/logout", headers=headers)
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers
    assert status(here, carrying(token)) == 200


def test_the_cookie_follows_the_end_of_the_session_when_it_moves(here: World) -> None:
    """A use is recorded once in a tenth of a short timeout; then the end has moved."""
    issued = here.operator.issue("ann", method="password", inactivity_timeout=timedelta(hours=1))
    headers = carrying(issued.token)
    fresh = here.client.get("/me", headers=headers)
    assert "Set-Cookie" not in fresh.headers
    here.operator.update(issued.session.id, inactivity_timeout=timedelta(seconds=10))
    while "Set-Cookie" not in (answer := here.client.get("/me", headers=headers)).headers:
        assert answer.status_code == 200
    token, age = cookie_set(answer)
    assert token == issued.token
    assert age <= 10


@pytest.mark.parametrize(
    ("path", "calls"), [("/login", 0), ("/login", 1), ("/login", 2), ("/logout", 0), ("/logout", 1)]
)
def test_a_store_that_fails_half_way_promises_nothing(here: World, path: str, calls: int) -> None:
    """A sign-in looks at the presented session, issues the new one, and ends the old one."""
    token = signed_in(here, cookie=False).json()["token"]
    here.store.let_through = calls
    body = {"user": "ann", "cookie": True}
    answer = here.client.post(path, json=body, headers=carrying(token))
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert "Set-Cookie" not in answer.headers
    here.store.mend()
    assert status(here, carrying(token)) == 200
