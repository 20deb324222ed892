"""The token goes to its origin, along redirects that stay there, and nowhere else."""

from __future__ import annotations

import pickle
from typing import Any

import httpx2
import pytest

from coatcheck.client import SessionAuth
from web_origins import Answer, Face, WebOrigin

TOKEN = "cck_the-token-of-these-tests"


@pytest.fixture
def auth(home: WebOrigin) -> SessionAuth:
    home.good.add(TOKEN)
    auth = SessionAuth(home.url, on_signed_out=lambda: pytest.fail("signed out"))
    auth.sign_in(TOKEN)
    return auth


@pytest.fixture
def client(face: Face, auth: SessionAuth) -> Any:
    return face.client(auth, follow_redirects=True)


def test_each_request_to_the_origin_carries_the_token(client: Any, home: WebOrigin) -> None:
    assert client.get(f"{home.url}/a").status_code == 200
    assert client.post(f"{home.url}/b?c=d", content=b"body").status_code == 200
    assert home.tokens() == [TOKEN, TOKEN]
    assert home.seen[1].body == b"body"


def test_without_a_token_a_request_goes_as_it_is(face: Face, home: WebOrigin) -> None:
    auth = SessionAuth(home.url, on_signed_out=lambda: pytest.fail("signed out"))
    assert face.client(auth).get(home.url).status_code == 401
    assert home.tokens() == [None]


def test_a_signed_out_client_sends_no_token(
    face: Face, client: Any, auth: SessionAuth, home: WebOrigin
) -> None:
    assert face.signed_in(auth)
    face.sign_out(auth)
    assert not face.signed_in(auth)
    assert client.get(home.url).status_code == 401
    face.sign_in(auth, TOKEN)
    assert client.get(home.url).status_code == 200
    assert home.tokens() == [None, TOKEN]


def test_a_request_to_elsewhere_is_untouched(
    client: Any, home: WebOrigin, elsewhere: WebOrigin
) -> None:
    elsewhere.good.add("theirs")
    assert client.get(elsewhere.url).status_code == 401
    assert client.get(elsewhere.url, headers={"Authorization": "Bearer theirs"}).status_code == 200
    localhost = home.url.replace("127.0.0.1", "localhost")
    assert client.get(localhost).status_code == 401
    assert elsewhere.tokens() == [None, "theirs"]
    assert home.tokens() == [None]


def test_a_header_of_the_callers_own_is_left_alone(client: Any, home: WebOrigin) -> None:
    response = client.get(home.url, headers={"authorization": "Bearer another"})
    assert response.status_code == 401  # and that signs nobody out
    assert response.request.headers["Authorization"] == "Bearer another"
    assert client.get(home.url, headers={"Authorization": "Basic Og=="}).status_code == 401
    assert home.tokens() == ["another", "Basic Og=="]


def test_a_redirect_within_the_origin_keeps_the_token(client: Any, home: WebOrigin) -> None:
    for path in ("/a", f"{home.url}/a", f"{home.url.replace('http', 'HTTP')}/a"):
        assert client.post(f"{home.url}/to?{path}", content=b"x").status_code == 200
    assert home.tokens() == [TOKEN] * 6


def test_a_redirect_to_elsewhere_loses_the_token(
    client: Any, home: WebOrigin, elsewhere: WebOrigin
) -> None:
    response = client.get(f"{home.url}/to?{elsewhere.url}/a")
    assert (response.status_code, len(response.history)) == (401, 1)
    localhost = home.url.replace("127.0.0.1", "localhost")
    assert client.get(f"{home.url}/to?{localhost}/b").status_code == 401
    assert elsewhere.tokens() == [None]
    assert home.tokens("/b") == [None]


def test_a_redirect_to_https_on_the_same_host_loses_it_too(client: Any, home: WebOrigin) -> None:
    sent: list[tuple[str, bool]] = []

    def note(request: httpx2.Request) -> None:
        sent.append((request.url.scheme, "Authorization" in request.headers))

    async def note_async(request: httpx2.Request) -> None:
        note(request)

    hook = note if isinstance(client, httpx2.Client) else note_async
    getattr(client, "asynchronous", client).event_hooks = {"request": [hook]}
    with pytest.raises(httpx2.ConnectError):
        client.get(f"{home.url}/to?{home.url.replace('http', 'https')}/a")
    assert sent == [("http", True), ("https", False)]


def test_a_redirect_that_leads_back_does_not_get_it_again(
    client: Any, home: WebOrigin, elsewhere: WebOrigin
) -> None:
    back = f"{elsewhere.url}/to?{home.url}/back"
    assert client.get(f"{home.url}/to?{back}").status_code == 401
    assert client.get(back).status_code == 401
    assert elsewhere.tokens() == [None, None]
    assert home.tokens("/back") == [None, None]


def test_an_elsewhere_that_says_invalid_token_signs_nobody_out(
    client: Any, auth: SessionAuth, home: WebOrigin, elsewhere: WebOrigin
) -> None:
    answer = Answer(401, [("WWW-Authenticate", "Bearer error=invalid_token")])
    elsewhere.answers["/no"] = home.answers["/no"] = answer
    assert client.get(f"{elsewhere.url}/no").status_code == 401
    assert client.get(f"{home.url}/to?{elsewhere.url}/no").status_code == 401
    # This one comes from home, to a request that had lost the token on its way.
    assert client.get(f"{elsewhere.url}/to?{home.url}/no").status_code == 401
    assert auth.signed_in()


def test_neither_requests_nor_responses_keep_the_token(
    client: Any, face: Face, home: WebOrigin
) -> None:
    request = client.build_request("POST", f"{home.url}/to?/a", content=b"x")
    before = request.headers.raw
    response = client.send(request)
    assert (response.status_code, home.tokens()) == (200, [TOKEN, TOKEN])
    assert response.history[0].request is request
    assert request.headers.raw == before
    assert "Authorization" not in response.request.headers
    for one in (response, *response.history):
        assert TOKEN.encode() not in pickle.dumps(one)


def test_a_request_that_is_sent_again_has_the_token_of_then(
    client: Any, face: Face, auth: SessionAuth, home: WebOrigin
) -> None:
    request = client.build_request("GET", f"{home.url}/to?/a")
    following = client.send(request, follow_redirects=False).next_request
    home.good.add("anew")
    face.sign_in(auth, "anew")
    assert client.send(following).status_code == 200
    assert client.send(request).status_code == 200
    face.sign_out(auth)
    assert client.send(request).status_code == 401
    assert home.tokens() == [TOKEN, "anew", "anew", "anew", None, None]


def test_a_streamed_body_is_sent_once(client: Any, face: Face, home: WebOrigin) -> None:
    def parts() -> Any:
        yield b"a"
        yield b"b"

    async def parts_async() -> Any:
        for part in parts():
            yield part

    content = parts() if face.kind == "sync" else parts_async()
    headers = {"Content-Length": "2"}
    assert client.post(home.url, content=content, headers=headers).status_code == 200
    assert home.seen[0].body == b"ab"


def test_an_error_of_the_network_keeps_the_token_off_the_request(
    client: Any, auth: SessionAuth, home: WebOrigin
) -> None:
    home.close()
    with pytest.raises(httpx2.ConnectError) as caught:
        client.get(home.url)
    assert "Authorization" not in caught.value.request.headers
    assert auth.signed_in()
