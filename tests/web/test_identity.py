"""Nobody is ever taken for somebody else: in threads, in tasks, in streams, in error handlers,
and while the store fails now and then."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

from web_services import CHUNKS
from web_worlds import COOKIE, World, client_of

CALLERS = 16
REQUESTS = 25
"""Of each caller, who is another user each time."""


def test_each_request_sees_its_own_user_and_no_other(here: World) -> None:
    users = [f"user {number}" for number in range(CALLERS)]
    tokens = {user: here.operator.issue(user, method="password").token for user in users}
    here.store.share = 0.02

    def call(seed: int) -> None:
        chosen = random.Random(seed)
        with client_of(here.port) as client:
            for _ in range(REQUESTS):
                user = chosen.choice([*users, None])
                path = chosen.choice(["/who", "/me", "/crash", "/stream", "/cached", "/public"])
                headers = {}
                if user is not None:
                    token = tokens[user]
                    headers = chosen.choice(
                        [{"Authorization": f"Bearer {token}"}, {"Cookie": f"{COOKIE}={token}"}]
                    )
                answer = client.get(path, headers=headers)
                if answer.status_code != 503:
                    check(path, user, answer.status_code, answer.text, answer.json)

    with ThreadPoolExecutor(CALLERS) as threads:
        for done in [threads.submit(call, seed) for seed in range(CALLERS)]:
            done.result()


def check(path: str, user: str | None, status: int, text: str, json: object) -> None:
    """Whether this is the answer for this user."""
    body = json() if path in {"/who", "/me", "/crash", "/cached"} else None  # type: ignore[operator]
    match path:
        case "/who" | "/cached":
            assert (status, body) == (200, {"user": user})
        case "/me" if user is None:
            assert status == 401
        case "/me":
            assert (status, body["user"]) == (200, user)
        case "/crash":
            assert (status, body) == (500, {"crashed": user})
        case "/stream":
            assert text == f"{user} {user}\n" * CHUNKS
        case "/public":
            assert status == 200
