"""One table of requests and answers, for every framework, through the socket of its server."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import httpx2
import pytest

from web_worlds import COOKIE, World

NAVIGATION = {"Sec-Fetch-Mode": "navigate"}
OURS = {"Sec-Fetch-Site": "same-origin"}
THEIRS = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
INVALID = 'Bearer error="invalid_token"'
MISSPELT = 'Bearer error="invalid_request"'
DELETED = f"{COOKIE}=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"


class Case(NamedTuple):
    """A request, and what must be answered. `{kind}` in a header is a token of that kind."""

    name: str
    request: str
    headers: dict[str, str] | list[tuple[str, str]]
    status: int
    json: dict[str, Any] | None = None
    """What of the body must be there."""
    challenge: str | None = None
    location: str | None = None
    set_cookie: str | None = None


def bearer(kind: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {{{kind}}}"}


def cookie(kind: str) -> dict[str, str]:
    return {"Cookie": f"theme=dark; {COOKIE}={{{kind}}}; x"}


ANN = {"user": "ann"}
NOBODY = {"user": None}
BAD = ("revoked", "expired", "inactive", "unknown_pepper", "forged", "malformed", "not ours")

CASES = [
    # Nobody.
    Case("nobody", "GET /me", {}, 401, challenge="Bearer"),
    Case("nobody, where anybody may", "GET /who", {}, 200, NOBODY),
    Case("yet another scheme", "GET /me", {"Authorization": "Negotiate YTpi"}, 401, None, "Bearer"),
    Case("somebody else's scheme", "GET /me", {"Authorization": "Basic YTpi"}, 401, None, "Bearer"),
    Case("an empty field", "GET /me", {"Authorization": ""}, 401, None, "Bearer"),
    Case("a cookie that was deleted", "GET /me", {"Cookie": f"{COOKIE}="}, 401, None, "Bearer"),
    Case("a cookie of another name", "GET /me", {"Cookie": "session={good}"}, 401, None, "Bearer"),
    Case(
        "its name in other letters",
        "GET /me",
        {"Cookie": "__host-session={good}"},
        401,
        None,
        "Bearer",
    ),
    Case("a token in the query", "GET /me?access_token={good}", {}, 401, None, "Bearer"),
    # Somebody.
    Case("a bearer token", "GET /me", bearer("good"), 200, ANN),
    Case("its scheme in small letters", "GET /me", {"Authorization": "bearer {good}"}, 200, ANN),
    Case("two blanks", "GET /me", {"Authorization": "Bearer  {good}"}, 200, ANN),
    Case("a cookie", "GET /me", cookie("good"), 200, ANN),
    Case(
        "a cookie beside another scheme",
        "GET /me",
        {"Authorization": "Basic YTpi", **cookie("good")},
        200,
        ANN,
    ),
    Case("a cookie, where anybody may", "GET /who", cookie("good"), 200, ANN),
    # Misspelt, or two at once.
    Case("no token", "GET /me", {"Authorization": "Bearer"}, 400, None, MISSPELT),
    Case("two words", "GET /me", {"Authorization": "Bearer {good} {good}"}, 400, None, MISSPELT),
    Case("a list", "GET /me", {"Authorization": "Bearer {good}, Basic x"}, 400, None, MISSPELT),
    Case("a quoted token", "GET /me", {"Authorization": 'Bearer "{good}"'}, 400, None, MISSPELT),
    Case("both", "GET /me", bearer("good") | cookie("good"), 400, None, MISSPELT),
    Case(
        "both, where anybody may", "GET /who", bearer("good") | cookie("good"), 400, None, MISSPELT
    ),
    Case("two fields", "GET /me", [("Authorization", "Bearer {good}")] * 2, 400, None, MISSPELT),
    Case(
        "two cookies",
        "GET /me",
        {"Cookie": f"{COOKIE}={{good}}; {COOKIE}={{good}}"},
        400,
        None,
        MISSPELT,
    ),
    Case(
        "two fields of cookies",
        "GET /me",
        [("Cookie", f"{COOKIE}={{good}}")] * 2,
        400,
        None,
        MISSPELT,
    ),
    Case("a quoted cookie", "GET /me", {"Cookie": f'{COOKIE}="{{good}}"'}, 400, None, MISSPELT),
    # Not valid.
    *(Case(f"{kind} token", "GET /me", bearer(kind), 401, None, INVALID) for kind in BAD),
    *(
        Case(f"{kind} token, where anybody may", "GET /who", bearer(kind), 401, None, INVALID)
        for kind in BAD
    ),
    *(
        Case(
            f"{kind} cookie",
            "GET /me",
            cookie(kind),
            401,
            None,
            INVALID,
            None,
            None if kind == "unknown_pepper" else DELETED,
        )
        for kind in BAD
    ),
    *(
        Case(
            f"{kind} cookie, where anybody may",
            "GET /who",
            cookie(kind),
            200,
            NOBODY,
            None,
            None,
            None if kind == "unknown_pepper" else DELETED,
        )
        for kind in BAD
    ),
    # Scopes.
    Case("a scope that is there", "GET /notes", bearer("narrow"), 200, ANN),
    Case(
        "a scope that is not",
        "POST /notes",
        bearer("narrow"),
        403,
        {"error": "insufficient_scope"},
        'Bearer error="insufficient_scope", scope="notes:write"',
    ),
    Case("both scopes", "POST /notes", bearer("good"), 200),
    # Browsers that ask for a page.
    Case("a page", "GET /me?tab=2", NAVIGATION, 303, None, None, "/login?next=%2Fme%3Ftab%3D2"),
    Case(
        "a page, in an old browser",
        "GET /me",
        {"Accept": "text/html,*/*"},
        303,
        None,
        None,
        "/login?next=%2Fme",
    ),
    Case(
        "what a page fetches",
        "GET /me",
        {"Sec-Fetch-Mode": "cors", "Accept": "text/html,*/*"},
        401,
        None,
        "Bearer",
    ),
    Case(
        "a page after the session",
        "GET /me",
        NAVIGATION | cookie("revoked"),
        303,
        None,
        None,
        "/login?next=%2Fme",
        DELETED,
    ),
    Case(
        "a form after the session",
        "POST /notes",
        NAVIGATION | OURS | cookie("revoked"),
        303,
        None,
        None,
        "/login",
        DELETED,
    ),
    Case(
        "a page without a scope it needs",
        "POST /notes",
        NAVIGATION | OURS | cookie("narrow"),
        403,
        {"error": "insufficient_scope"},
        'Bearer error="insufficient_scope", scope="notes:write"',
    ),
    # Proof of origin.
    Case("a form of ours", "POST /notes", OURS | cookie("good"), 200),
    Case(
        "a form, sent again by hand",
        "POST /notes",
        {"Sec-Fetch-Site": "none"} | cookie("good"),
        200,
    ),
    Case(
        "a form elsewhere", "POST /notes", THEIRS | cookie("good"), 403, {"error": "cross_origin"}
    ),
    Case(
        "a neighbour's form", "POST /notes", {"Sec-Fetch-Site": "same-site"} | cookie("good"), 403
    ),
    Case("a form of who knows whom", "POST /notes", cookie("good"), 403, {"error": "cross_origin"}),
    Case(
        "two origins",
        "POST /notes",
        cookie("good") | {"Origin": "https://{host} https://{host}"},
        403,
    ),
    Case("a form of a file", "POST /notes", cookie("good") | {"Origin": "null"}, 403),
    Case("by its origin alone", "POST /notes", cookie("good") | {"Origin": "http://{host}"}, 200),
    Case("of another port", "POST /notes", cookie("good") | {"Origin": "http://127.0.0.1:1"}, 403),
    Case("elsewhere, where anybody may", "POST /who", THEIRS | cookie("good"), 403),
    Case("elsewhere, with a bearer token", "POST /notes", THEIRS | bearer("good"), 200),
    Case("elsewhere, without a session", "POST /notes", THEIRS, 401, None, "Bearer"),
    Case("a link elsewhere", "GET /me", THEIRS | NAVIGATION | cookie("good"), 200, ANN),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_request_gets_the_answer_of_the_table(here: World, case: Case) -> None:
    answer = ask(here, case)
    assert answer.status_code == case.status, answer.text
    assert answer.headers.get("WWW-Authenticate") == case.challenge
    assert answer.headers.get("Location") == case.location
    assert answer.headers.get("Set-Cookie") == case.set_cookie
    if case.json:
        assert answer.json() | case.json == answer.json()
    assert_personal(answer)


def test_what_asks_for_no_session_asks_nothing_of_the_store_and_is_left_alone(here: World) -> None:
    here.store.share = 1.0
    answer = here.client.get("/public", headers=filled(here, cookie("good")))
    assert answer.status_code == 200
    assert not {"cache-control", "vary", "set-cookie"} & set(answer.headers)


@pytest.mark.parametrize(
    "page", ["GET /me", "GET /who", "GET /count", "POST /notes", "POST /logout"]
)
@pytest.mark.parametrize("how", [bearer, cookie])
def test_a_store_that_cannot_answer_lets_nobody_in_and_signs_nobody_out(
    here: World, page: str, how: Any
) -> None:
    headers = filled(here, how("good") | OURS | NAVIGATION)
    here.store.share = 1.0
    method, path = page.split()
    answer = here.client.request(method, path, headers=headers)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert not {"set-cookie", "www-authenticate", "location"} & set(answer.headers)
    assert_personal(answer)
    here.store.mend()
    assert here.client.get("/me", headers=headers).status_code == 200


def test_no_cache_keeps_what_a_session_saw_whatever_the_service_says(here: World) -> None:
    answer = here.client.get("/cached", headers=filled(here, bearer("good")))
    assert answer.headers.get_list("Cache-Control") == ["no-store"]
    vary = {name.strip() for name in ",".join(answer.headers.get_list("Vary")).split(",")}
    assert vary == {"Accept", "Authorization", "Cookie"}


def ask(here: World, case: Case) -> httpx2.Response:
    method, path = filled(here, {"": case.request})[""].split(" ", 1)
    headers: Any = case.headers
    if isinstance(headers, dict):
        headers = list(headers.items())
    given = [(name, filled(here, {"": value})[""]) for name, value in headers]
    return here.client.request(method, path, headers=given)


def filled(here: World, headers: dict[str, str]) -> dict[str, str]:
    """With a token in the place of each kind."""

    def value(match: re.Match[str]) -> str:
        return f"127.0.0.1:{here.port}" if match[1] == "host" else here.token(match[1])

    return {name: re.sub(r"\{([\w ]+)\}", value, text) for name, text in headers.items()}


def assert_personal(answer: httpx2.Response) -> None:
    assert answer.headers["Cache-Control"] == "no-store"
    vary = {name.strip().lower() for name in answer.headers["Vary"].split(",")}
    assert vary >= {"authorization", "cookie"}
