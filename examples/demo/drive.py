"""Start the service, and drive it from outside: HTTP from this process, `coatcheck` from others.

Three kinds of processes: the service, this one, which only speaks HTTP, and one for each
`coatcheck` command. The service and the commands share a store: an SQLite file, or
whatever COATCHECK_URL names. The service goes on running at the end; `--once` stops it.
"""

import argparse
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from http.cookies import SimpleCookie
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

import httpx2

HERE = Path(__file__).parent
COATCHECK = Path(sys.executable).with_name("coatcheck")
START_SECONDS = 20
ADA = {"user": "ada", "password": "analytical engine"}


class Unexpected(Exception):  # noqa: N818 - it is what the demo ends with, not an error of it
    """A step answered other than the demo says it does."""


def main() -> int:
    """Run the demo. 0 if every step answered as expected."""
    parser = argparse.ArgumentParser(description="Start the demo service and drive it.")
    parser.add_argument("--once", action="store_true", help="stop the service at the end")
    parser.add_argument("--port", type=int, help="default: 8000, or a free one")
    parser.add_argument("--directory", type=Path, help="default: a new one, removed at the end")
    chosen = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        with ExitStack() as stack:
            directory = chosen.directory or Path(
                stack.enter_context(TemporaryDirectory(prefix="coatcheck-demo-"))
            )
            configure(directory)
            port = chosen.port or free_port()
            service = stack.enter_context(running_service(directory, port))
            client = stack.enter_context(
                httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False)
            )
            walk_through(client, directory)
            say("\nEvery step answered as expected.")
            if not chosen.once:
                tell_how_to_go_on(directory, port)
                service.wait()
    except Unexpected as problem:
        say(f"\nNot as expected: {problem}")
        return 1
    except KeyboardInterrupt:
        say("\nStopped.")
    return 0


def walk_through(client: httpx2.Client, directory: Path) -> None:
    """The story: programs first, then a browser, then a program that notices by itself."""
    sign_in_and_out(client, directory)
    browse(client, directory)
    be_told(client, directory)


def sign_in_and_out(client: httpx2.Client, directory: Path) -> None:
    """Sign in, gain a scope, be revoked, sign in again, sign out."""
    say("\n1. Without a token nobody is signed in.")
    request(client, "GET", "/api/me", expected=401)

    say("\n2. Ada signs in. The token is shown once; the store keeps only a hash of it.")
    request(client, "POST", "/api/login", ADA | {"password": "wrong"}, expected=401)
    token = request(client, "POST", "/api/login", ADA, expected=200).json()["token"]
    me = request(client, "GET", "/api/me", token=token, expected=200).json()
    check(me["scopes"] == ["read"], "/api/me shows the scope of the sign-in")

    say("\n3. An operator adds a scope, from another process. The next request has it.")
    command(directory, "update", me["session"], "--scope", "read", "--scope", "write")
    me = request(client, "GET", "/api/me", token=token, expected=200).json()
    check(me["scopes"] == ["read", "write"], "/api/me shows the new scope")

    say("\n4. An operator revokes the session. The next request is refused.")
    command(directory, "revoke", me["session"])
    request(client, "GET", "/api/me", token=token, expected=401)

    say("\n5. Ada signs in again, and out by herself.")
    token = request(client, "POST", "/api/login", ADA, expected=200).json()["token"]
    request(client, "POST", "/api/logout", token=token, expected=204)
    request(client, "GET", "/api/me", token=token, expected=401)
    command(directory, "count", "--user", "ada")


def browse(client: httpx2.Client, directory: Path) -> None:
    """What a browser does, with a cookie instead of a token."""
    page = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}
    form = page | {"Sec-Fetch-Site": "same-origin"}

    say("\n6. A browser asks for a page, and is sent to the login page.")
    answer = request(client, "GET", "/", headers=page, expected=303)
    check(answer.headers["Location"] == "/login?next=%2F", "the login page knows the wanted one")
    request(client, "GET", "/login?next=%2F", headers=page, expected=200)
    answer = request(client, "POST", "/login", ADA, headers=form, expected=303)
    [(name, morsel)] = SimpleCookie(answer.headers["Set-Cookie"]).items()
    cookie = {"Cookie": f"{name}={morsel.value}"}
    request(client, "GET", "/", headers=page | cookie, expected=200)

    say("\n7. A form on a page elsewhere cannot act for the user, although the cookie comes along.")
    elsewhere = page | cookie | {"Origin": "https://elsewhere.example"}
    request(client, "POST", "/logout", headers=elsewhere, expected=403)
    request(client, "GET", "/", headers=page | cookie, expected=200)

    say("\n8. An operator revokes the session. The next click leads to the login page.")
    command(directory, "revoke-all", "--user", "ada")
    request(client, "GET", "/", headers=page | cookie, expected=303)


def be_told(client: httpx2.Client, directory: Path) -> None:
    """What a program does that has coatcheck's client."""
    say("\n9. A program asks now and then who it is, and is told when its session has ended.")
    words = [sys.executable, str(HERE / "programme.py"), str(client.base_url).rstrip("/")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        first = program.stdout.readline().strip()
        say(f"   program: {first}")
        command(directory, "revoke-all", "--user", "ada")
        last = program.stdout.readline().strip()
        say(f"   program: {last}")
    check('"user":"ada"' in first, "the program is signed in")
    check(program.returncode == 0 and last.startswith("signed out"), "the program is told")


def request(
    client: httpx2.Client,
    method: str,
    path: str,
    body: dict[str, str] | None = None,
    *,
    token: str | None = None,
    headers: dict[str, str] | None = None,
    expected: int,
) -> httpx2.Response:
    """Send a request and print it with its answer. With headers it is a browser's."""
    given = headers or {}
    shown = ""
    if body is not None:
        shown = f"   {json.dumps(body | {'password': '…'}, ensure_ascii=False)}"
    if token is not None:
        given = {"Authorization": f"Bearer {token}"}
        shown = f"   Authorization: Bearer {shortened(token)}"
    elif "Cookie" in given:
        name, _, value = given["Cookie"].partition("=")
        shown = f"   Cookie: {name}={shortened(value)}"
    say(f"   > {method} {path}{shown}")
    if headers is None:
        response = client.request(method, path, json=body, headers=given)
    else:
        response = client.request(method, path, data=body, headers=given)
    say(f"   < {response.status_code} {response.reason_phrase}   {summary(response)}".rstrip())
    check(response.status_code == expected, f"{method} {path} answers {expected}")
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        challenge = response.headers.get("WWW-Authenticate", "")
        check(challenge.startswith("Bearer"), "a 401 says Bearer")
    return response


def summary(response: httpx2.Response) -> str:
    """The body if it is for programs; where a browser goes, and the title of a page."""
    if "Location" in response.headers:
        return f"Location: {response.headers['Location']}"
    title = re.search(r"<title>(.*?)</title>", response.text)
    if title:
        return f"the page: {title[1]}"
    return re.sub(r'(?<="token":")[^"]+', lambda match: shortened(match[0]), response.text)


def command(directory: Path, *words: str) -> None:
    """Run `coatcheck` in a process of its own, and print what it prints."""
    say(f"   $ coatcheck {shlex.join(words)}")
    done = subprocess.run(
        [COATCHECK, *words],
        cwd=directory,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    for line in done.stdout.splitlines():
        say(f"     {line.rstrip()}")
    check(done.returncode == 0, f"coatcheck {words[0]} exits with 0")


def configure(directory: Path) -> None:
    """Write the `.env` file that the service and the commands read: a fresh store, a new pepper."""
    directory.mkdir(parents=True, exist_ok=True)
    dotenv = directory / ".env"
    for file in (dotenv, directory / "sessions.db"):
        if file.exists():
            sys.exit(f"{file} is there already; give an empty directory")
    pepper = subprocess.run(
        [COATCHECK, "pepper", "new"], capture_output=True, text=True, check=True
    )
    url = os.environ.get("COATCHECK_URL", "sqlite:///sessions.db")
    say(f"The store is of the kind {url.partition(':')[0]}.")
    dotenv.touch(mode=0o600)
    dotenv.write_text(f"COATCHECK_URL={url}\nCOATCHECK_PEPPER={pepper.stdout.strip()}\n")


@contextmanager
def running_service(directory: Path, port: int) -> Generator[subprocess.Popen[bytes]]:
    """The service as a child process, answering; stopped at the end, whatever happened."""
    words = ["uvicorn", "--app-dir", str(HERE), "--port", str(port), "--log-level", "warning"]
    say(f"Starting the service at http://127.0.0.1:{port}, its settings in {directory}")
    process = subprocess.Popen(
        [sys.executable, "-m", *words, "service:app"], cwd=directory, env=environment()
    )
    try:
        wait_until_it_answers(process, port)
        yield process
    finally:
        process.terminate()
        process.wait()


def wait_until_it_answers(process: subprocess.Popen[bytes], port: int) -> None:
    """Return as soon as the port accepts a connection."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        check(process.poll() is None, "the service starts")
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise Unexpected(f"the service starts within {START_SECONDS} s")


def tell_how_to_go_on(directory: Path, port: int) -> None:
    """What to type next."""
    say(f"""
The service goes on running; Ctrl-C stops it. Open it in a browser, or in two:

  http://localhost:{port}/     sign in as ada, password "analytical engine"

and in another terminal:

  cd {shlex.quote(str(directory))}     # its .env has the URL and the pepper
  {COATCHECK} list --user ada
  {COATCHECK} revoke-all --user ada    # then click anything in the browser
  {sys.executable} {HERE / "programme.py"} http://localhost:{port}""")


def environment() -> dict[str, str]:
    """This process's environment without settings of coatcheck, so that only `.env` counts."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COATCHECK_")}


def free_port() -> int:
    """8000 if nobody listens there, else what the system gives."""
    for port in (8000, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise Unexpected("a port is free")


def shortened(token: str) -> str:
    """Enough of a token to tell it from another, and of no use to anybody."""
    return f"{token[:12]}…"


def check(fact: bool, what: str) -> None:
    """Stop the demo unless `fact`."""
    if not fact:
        raise Unexpected(what)


def say(text: str) -> None:
    """Print at once, since the service writes to the same terminal."""
    print(text, flush=True)


def stop(*_: object) -> NoReturn:
    """However this process is asked to end, the service ends with it."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
