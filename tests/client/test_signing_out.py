"""What ends a sign-in at the client: `invalid_token`, a token that has gone, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from coatcheck import ConfigError, InvalidInput, Secret
from coatcheck.client import FileTokenStore, MemoryTokenStore, SessionAuth
from web_origins import INVALID, Answer, Face, WebOrigin

OLD, NEW = "cck_old-token", "cck_new-token"


class Told:
    """Counts how often it is told that the user was signed out."""

    def __init__(self) -> None:
        self.times = 0
        self._lock = threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            self.times += 1


class LoginPage(Exception):  # noqa: N818
    """Unwinds an application to its login page."""


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture(params=["memory", "file"])
def auth(request: pytest.FixtureRequest, tmp_path: Any, home: WebOrigin, told: Told) -> SessionAuth:
    store = MemoryTokenStore() if request.param == "memory" else FileTokenStore(tmp_path / "token")
    auth = SessionAuth(home.url, store, told)
    auth.sign_in(OLD)
    return auth


def auth_that(home: WebOrigin, on_signed_out: Callable[[], object]) -> SessionAuth:
    auth = SessionAuth(home.url, on_signed_out=on_signed_out)
    auth.sign_in(OLD)
    return auth


def test_an_invalid_token_is_forgotten_and_the_application_told(
    face: Face, auth: SessionAuth, home: WebOrigin, told: Told
) -> None:
    client = face.client(auth)
    response = client.get(home.url)
    assert (response.status_code, response.text) == (401, "{}")
    assert (auth.signed_in(), told.times) == (False, 1)
    assert client.get(home.url).status_code == 401
    assert home.tokens() == [OLD, None]
    assert told.times == 1


def test_also_after_a_redirect_within_the_origin(
    face: Face, auth: SessionAuth, home: WebOrigin, told: Told
) -> None:
    assert face.client(auth, follow_redirects=True).get(f"{home.url}/to?/a").status_code == 401
    assert (auth.signed_in(), told.times) == (False, 1)


@pytest.mark.parametrize(
    ("status", "challenges"),
    [
        (401, []),
        (401, ["Bearer"]),
        (401, ['Bearer realm="app", error="invalid_request"']),
        (401, ['Basic realm="error=invalid_token", Digest error=invalid_token']),
        (403, ['Bearer error="insufficient_scope"']),
        (403, [INVALID]),
        (503, [INVALID]),
        (200, [INVALID]),
    ],
)
def test_any_other_answer_keeps_the_token(
    face: Face, home: WebOrigin, told: Told, status: int, challenges: list[str]
) -> None:
    auth = SessionAuth(home.url, on_signed_out=told)
    face.sign_in(auth, OLD)
    headers = [("WWW-Authenticate", challenge) for challenge in challenges]
    home.answers["/"] = Answer(status, [*headers, ("Retry-After", "1")])
    assert face.client(auth).get(home.url).status_code == status
    assert (auth.signed_in(), told.times) == (True, 0)


@pytest.mark.parametrize("fields", [("Basic", INVALID), ('Basic realm="a", ' + INVALID,)])
def test_one_challenge_among_others_is_enough(
    face: Face, auth: SessionAuth, home: WebOrigin, told: Told, fields: tuple[str, ...]
) -> None:
    home.answers["/"] = Answer(401, [("www-authenticate", field) for field in fields])
    assert face.client(auth).get(home.url).status_code == 401
    assert (auth.signed_in(), told.times) == (False, 1)


def test_of_fifty_requests_in_flight_one_tells(
    face: Face, auth: SessionAuth, home: WebOrigin, told: Told
) -> None:
    client = face.client(auth, limits=httpx2.Limits(max_connections=None))
    threading.Thread(target=release_after, args=(home, 50)).start()
    answers = face.all_at_once(client, [f"{home.url}/held"] * 50)
    assert [answer.status_code for answer in answers] == [401] * 50
    assert home.tokens() == [OLD] * 50
    assert (auth.signed_in(), told.times) == (False, 1)


def test_fifty_late_answers_leave_a_newer_token_alone(
    face: Face, auth: SessionAuth, home: WebOrigin, told: Told
) -> None:
    home.good.add(NEW)

    def sign_in_anew() -> None:
        release_after(home, 50, lambda: auth.sign_in(NEW))

    threading.Thread(target=sign_in_anew).start()
    client = face.client(auth, limits=httpx2.Limits(max_connections=None))
    answers = face.all_at_once(client, [f"{home.url}/held"] * 50)
    assert [answer.status_code for answer in answers] == [401] * 50
    assert (auth.signed_in(), told.times) == (True, 0)
    assert client.get(home.url).status_code == 200
    assert home.tokens("/") == [NEW]


def release_after(home: WebOrigin, number: int, first: Callable[[], object] = lambda: None) -> None:
    """Let the held requests go when so many have come, and something else is done."""
    for _ in range(number):
        assert home.arrived.acquire(timeout=30)
    first()
    home.release.set()


def test_the_next_token_that_ends_is_told_again(
    face: Face, auth: SessionAuth, home: WebOrigin, told: Told
) -> None:
    client = face.client(auth)
    for times in (1, 2, 3):
        client.get(home.url)
        client.get(home.url)
        assert told.times == times
        face.sign_in(auth, f"{NEW}-{times}")


def test_a_sign_out_of_ones_own_is_not_told(
    face: Face, auth: SessionAuth, home: WebOrigin, told: Told
) -> None:
    client = face.client(auth)
    face.sign_out(auth)
    face.sign_out(auth)
    assert client.get(home.url).status_code == 401
    assert told.times == 0


def test_a_token_that_another_process_removed_is_told_before_the_request(
    face: Face, home: WebOrigin, told: Told, tmp_path: Any
) -> None:
    auth = SessionAuth(home.url, FileTokenStore(tmp_path / "token"), told)
    client = face.client(auth)
    client.get(home.url)
    assert told.times == 0  # there was none to be gone
    FileTokenStore(tmp_path / "token").save(Secret(OLD))
    assert face.signed_in(auth)
    (tmp_path / "token").unlink()
    assert not face.signed_in(auth)
    face.all_at_once(client, [home.url] * 10)
    assert (told.times, home.tokens()) == (1, [None] * 11)


def test_a_token_that_another_process_replaced_is_no_sign_out(
    face: Face, home: WebOrigin, told: Told, tmp_path: Any
) -> None:
    home.good.add(NEW)
    auth = SessionAuth(home.url, FileTokenStore(tmp_path / "token"), told)
    auth.sign_in(OLD)
    FileTokenStore(tmp_path / "token").save(Secret(NEW))
    assert face.client(auth).get(home.url).status_code == 200
    assert told.times == 0


def test_who_signs_in_when_told_of_a_token_that_has_gone_need_not_ask_again(
    face: Face, home: WebOrigin, tmp_path: Any
) -> None:
    home.good.add(NEW)
    auth = SessionAuth(
        home.url, FileTokenStore(tmp_path / "token"), on_signed_out=lambda: auth.sign_in(NEW)
    )
    auth.sign_in(OLD)
    (tmp_path / "token").unlink()
    assert face.client(auth).get(home.url).status_code == 200
    assert home.tokens() == [NEW]


def test_what_it_raises_reaches_the_caller_after_the_token_has_gone(
    face: Face, home: WebOrigin
) -> None:
    seen: list[bool] = []

    def to_login_page() -> None:
        seen.append(auth.signed_in())
        raise LoginPage

    auth = auth_that(home, to_login_page)
    client = face.client(auth)
    with pytest.raises(LoginPage):
        client.get(home.url)
    assert seen == [False]
    assert client.get(home.url).status_code == 401


def test_of_many_callers_one_is_unwound(face: Face, home: WebOrigin) -> None:
    def to_login_page() -> None:
        raise LoginPage

    client = face.client(auth_that(home, to_login_page))
    threading.Thread(target=release_after, args=(home, 20)).start()
    answers = face.all_at_once(client, [f"{home.url}/held"] * 20)
    raised = [answer for answer in answers if isinstance(answer, Exception)]
    assert [type(error) for error in raised] == [LoginPage]


def test_the_client_and_the_auth_may_be_used_when_it_is_told(face: Face, home: WebOrigin) -> None:
    home.good.add(NEW)
    # A pool of one connection, which the refused answer must not hold.
    options: dict[str, Any] = {"limits": httpx2.Limits(max_connections=1), "timeout": 5}
    login: list[int] = []
    if face.kind == "sync":

        def sign_in_anew() -> None:
            auth.sign_in(NEW)
            login.append(client.get(home.url).status_code)

        auth = auth_that(home, sign_in_anew)
    else:

        async def sign_in_anew_async() -> None:
            await auth.sign_in_async(NEW)
            login.append((await client.asynchronous.get(home.url)).status_code)

        auth = auth_that(home, sign_in_anew_async)
    client = face.client(auth, **options)
    assert client.get(home.url).status_code == 401
    assert login == [200]
    assert client.get(home.url).status_code == 200


def test_an_answer_that_breaks_off_is_told_of_by_the_next_request(
    face: Face, auth: SessionAuth, home: WebOrigin, told: Told
) -> None:
    broken = [("WWW-Authenticate", INVALID), ("Content-Length", "100"), ("Connection", "close")]
    home.answers["/broken"] = Answer(401, broken)
    client = face.client(auth)
    with pytest.raises(httpx2.RemoteProtocolError):
        client.get(f"{home.url}/broken")
    assert (auth.signed_in(), told.times) == (False, 0)
    assert client.get(home.url).status_code == 401
    assert told.times == 1


def test_a_streamed_answer_can_still_be_read(
    face: Face, auth: SessionAuth, home: WebOrigin
) -> None:
    client = face.client(auth)
    response = client.send(client.build_request("GET", home.url), stream=True)
    assert response.status_code == 401
    assert response.text == "{}"


async def coroutine_function() -> None: ...


def gives_awaitable() -> object:
    return coroutine_function()


class Awaited:
    async def __call__(self) -> None: ...


@pytest.mark.parametrize("callback", [coroutine_function, Awaited(), gives_awaitable])
def test_a_coroutine_function_is_for_asynchronous_clients(
    home: WebOrigin, callback: Callable[[], object]
) -> None:
    auth = auth_that(home, callback)
    with httpx2.Client(auth=auth, trust_env=False) as client, pytest.raises(ConfigError):
        client.get(home.url)


def test_a_wrong_token_is_refused_and_not_shown(face: Face, home: WebOrigin) -> None:
    auth = SessionAuth(home.url)
    for wrong in ("", "zwei Worte", "a\r\nb", "=", "a=b", "ä", "a" * 4097, "a\n", None, 7, b"a"):
        with pytest.raises(InvalidInput) as caught:
            face.sign_in(auth, wrong)  # type: ignore[arg-type]
        assert not wrong or str(wrong) not in str(caught.value) or len(str(wrong)) < 3
    assert not auth.signed_in()
    face.sign_in(auth, "A0-._~+/==")
    assert auth.signed_in()


def test_what_cannot_be_a_store_or_a_callback_is_refused(home: WebOrigin) -> None:
    class Waiting(MemoryTokenStore):
        async def load(self) -> None: ...  # type: ignore[override]

    for store in (object(), "token", Waiting()):
        with pytest.raises(ConfigError, match=r"^store "):
            SessionAuth(home.url, store)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"^on_signed_out "):
        SessionAuth(home.url, on_signed_out="login")  # type: ignore[arg-type]
