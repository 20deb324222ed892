"""Law 18 on the web: what is refused shows no token, not in words, not in logs, and not in the
locals of the policy's frames."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from canaries import Canaries, Net
from coatcheck import AsyncSessionManager, Secret, SessionManager
from coatcheck.web import AsyncRequestAuth, Refused, RequestAuth, RequestHead, WebPolicy
from coatcheck_backends import sqlite
from web_worlds import COOKIE, PEPPER, Faulty

POLICY = WebPolicy(login_path="/login")


class Place:
    """A store that can fail, and the two faces of the policy on it."""

    def __init__(self, directory: Path) -> None:
        url = f"sqlite:///{directory / 'sessions.db'}"
        self.store = Faulty(sqlite.open_backend(Secret(url)))
        self.operator = SessionManager(self.store, pepper=PEPPER)

    def ask(self, headers: dict[str, str], call: str, *args: Any, **named: Any) -> Any:
        """A call of `RequestAuth`, for a request with these fields."""
        head = RequestHead("POST", "/notes", lambda name: _values(headers, name))
        return getattr(RequestAuth(self.operator, POLICY, head), call)(*args, **named)

    def ask_async(self, headers: dict[str, str], call: str, *args: Any, **named: Any) -> Any:
        """The same, awaited."""

        async def main() -> Any:
            async with AsyncSessionManager(_Lent(self.store), pepper=PEPPER) as sessions:
                head = RequestHead("POST", "/notes", lambda name: _values(headers, name))
                return await getattr(AsyncRequestAuth(sessions, POLICY, head), call)(*args, **named)

        return asyncio.run(main())


class _Lent(Faulty):
    """A store that its borrower neither prepares nor closes, and that fails as the other does."""

    def _pass(self, hook: str, *args: Any) -> Any:
        return None if hook in {"close", "prepare"} else super()._pass(hook, *args)


def _values(headers: dict[str, str], name: str) -> tuple[str, ...]:
    return (headers[name],) if name in headers else ()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.store.mend()
    place.operator.close()


@pytest.mark.parametrize("way", [Place.ask, Place.ask_async])
def test_a_refusal_shows_no_token(place: Place, way: Callable[..., Any], tmp_path: Path) -> None:
    net, canaries = Net(), Canaries()
    issued = place.operator.issue("ann", method="password")
    token = issued.token
    canaries.token(token)
    canaries.secret("pepper", PEPPER)
    bearer, cookie = {"authorization": f"Bearer {token}"}, {"cookie": f"{COOKIE}={token}"}
    ours = {"sec-fetch-site": "same-origin"}
    cases: list[tuple[str, dict[str, str]]] = [
        ("two", bearer | cookie),
        ("two words", {"authorization": f"Bearer {token} {token}"}),
        ("two cookies", {"cookie": f"{COOKIE}={token}; {COOKIE}={token}"} | ours),
        ("no octets", {"cookie": f'{COOKIE}="{token}"'} | ours),
        ("cross origin", cookie),
        ("edited", {"authorization": f"Bearer {token}x"}),
    ]
    with net.listening(), net.reading_output(tmp_path):
        for where, headers in cases:
            net.error(where, caught(way, place, headers, "session"))
        net.error("scope", caught(way, place, bearer, "require", "admin"))
        place.store.share = 1.0
        for headers in (bearer, cookie | ours):
            net.error("down", caught(way, place, headers, "session"))
            net.error("down", caught(way, place, headers, "sign_out"))
            down = caught(way, place, headers, "sign_in", "ann", method="password")
            net.error("down", down)
            net.show("refusal", down)
    assert {where for where, _ in net.caught if where == "log of coatcheck"}
    assert sum(len(text) for _, text in net.locals) > 2_000
    leaks = net.leaks(canaries)
    assert not leaks, "\n".join(map(str, leaks))


def caught(way: Callable[..., Any], *args: Any, **named: Any) -> Refused:
    with pytest.raises(Refused) as refused:
        way(*args, **named)
    return refused.value
