"""A program's end of the demo: it signs in, asks now and then who it is, and stops by itself when
its session has ended.

    python programme.py http://localhost:8000
"""

import sys
import time

import httpx2

from coatcheck.client import SessionAuth

PAUSE_SECONDS = 0.2


def main(origin: str) -> int:
    """0 once it was signed out."""
    auth = SessionAuth(origin, on_signed_out=to_login_page)
    with httpx2.Client(base_url=origin, auth=auth, trust_env=False) as client:
        ada = {"user": "ada", "password": "analytical engine"}
        auth.sign_in(client.post("/api/login", json=ada).raise_for_status().json()["token"])
        shown = None
        while auth.signed_in():
            answer = client.get("/api/me")
            if answer.is_success and answer.text != shown:
                shown = answer.text
                say(shown)
            time.sleep(PAUSE_SECONDS)
    return 0


def to_login_page() -> None:
    """Where a program with windows would show its login page."""
    say("signed out: please sign in")


def say(words: str) -> None:
    """At once, for whoever reads the other end."""
    print(words, flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
