"""Each quick start of docs/web.md, as printed, behind the server that it names."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.cookies import SimpleCookie
from pathlib import Path

import httpx2
import pytest

from coatcheck import SessionManager
from coatcheck.client import SessionAuth
from web_worlds import client_of

PAGE = Path(__file__).parents[2] / "docs" / "web.md"
SCRIPTS = Path(sys.executable).parent
PEPPER = "a long phrase that the quick starts of the tests use"
FRAMEWORKS = ["FastAPI", "Starlette", "Any ASGI application", "Flask", "Django"]
ADA = {"user": "ada", "password": "analytical engine"}
OURS = {"Sec-Fetch-Site": "same-origin"}


def blocks(heading: str) -> list[tuple[str, str]]:
    """The language and the text of each block under a heading."""
    section = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)
    [text] = [part for part in section if part.startswith(f"{heading}\n")]
    return re.findall(r"^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def write_files(heading: str, directory: Path) -> None:
    """Each Python block goes where its first line says; after what stands there already."""
    for language, text in blocks(heading):
        if language == "python":
            name, _, rest = text.partition("\n")
            with (directory / name.removeprefix("# ")).open("a") as file:
                file.write(f"\n\n{rest}")


def command(heading: str, port: int) -> list[str]:
    [line] = [
        found
        for language, text in blocks(heading)
        if language == "sh"
        for found in re.findall(r"^(?:uvicorn|gunicorn) .*", text, re.MULTILINE)
    ]
    assert "8000" in line
    return shlex.split(line.replace("8000", str(port)))


@contextmanager
def running(heading: str, directory: Path) -> Iterator[int]:
    """The service of a quick start, by its own command; gives the port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program, *arguments = command(heading, port)
    environment = {name: value for name, value in os.environ.items() if "COATCHECK" not in name}
    environment |= {"COATCHECK_URL": "sqlite:///sessions.db", "COATCHECK_PEPPER": PEPPER}
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(
            [SCRIPTS / program, *arguments], cwd=directory, env=environment, stdout=log, stderr=log
        )
    try:
        wait_for(port, process, directory / "log")
        yield port
    except AssertionError as error:
        error.add_note((directory / "log").read_text())
        raise
    finally:
        process.terminate()
        process.wait(20)


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise AssertionError(log.read_text())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Where a quick start for Django begins."""
    command = [SCRIPTS / "django-admin", "startproject", "project", tmp_path]
    subprocess.run(command, check=True)
    return tmp_path


@pytest.mark.parametrize(
    "headings", [*([each] for each in FRAMEWORKS), ["Django", "Django REST framework"]], ids=str
)
def test_a_quick_start_works_as_printed(headings: list[str], project: Path) -> None:
    for heading in headings:
        write_files(heading, project)
    with running(headings[0], project) as port:
        walk_as_a_browser(port)
        walk_as_a_program(port, project)


def walk_as_a_browser(port: int) -> None:
    with client_of(port) as client:
        assert client.get("/me").status_code == 401
        wrong = client.post("/login", json=ADA | {"password": "x"}, headers=OURS)
        assert wrong.status_code in {401, 403}
        assert client.post("/login", json=ADA).status_code == 403  # of who knows which page
        first, second = (signed_in(client) for _ in range(2))
        assert client.get("/me", headers=first).json() == {"user": "ada"}
        assert client.post("/logout-elsewhere", headers=first).is_success
        assert client.get("/me", headers=second).status_code == 401
        assert client.post("/logout", headers=first).is_success
        assert client.get("/me", headers=first).status_code == 401


def signed_in(client: httpx2.Client) -> dict[str, str]:
    """What a browser sends from now on."""
    answer = client.post("/login", json=ADA, headers=OURS)
    assert answer.is_success
    [(name, morsel)] = SimpleCookie(answer.headers["Set-Cookie"]).items()
    assert name == "__Host-session"
    return OURS | {"Cookie": f"{name}={morsel.value}"}


def walk_as_a_program(port: int, directory: Path) -> None:
    """Scopes, and a client that signs out by itself when an operator revokes its session."""
    signed_out: list[str] = []
    auth = SessionAuth(f"http://127.0.0.1:{port}", on_signed_out=lambda: signed_out.append("yes"))
    with client_of(port) as client:
        auth.sign_in(client.post("/token", json=ADA).json()["token"])
        client.auth = auth
        assert client.get("/me").json() == {"user": "ada"}
        assert client.get("/notes").json() == ["ada's only note"]
        refused = client.delete("/notes")
        assert refused.status_code == 403
        assert 'scope="notes:write"' in refused.headers["WWW-Authenticate"]
        with SessionManager.open(f"sqlite:///{directory}/sessions.db", pepper=PEPPER) as operator:
            [session] = operator.find(user_id="ada")
            operator.update(session.id, scopes={"notes:read", "notes:write"})
            assert client.delete("/notes").is_success
            operator.revoke(session.id)
        assert client.get("/me").status_code == 401
    assert (signed_out, auth.signed_in()) == (["yes"], False)


def test_every_block_of_the_page_is_tried() -> None:
    """Those of the quick starts here, those of the other sections with the other pages."""
    headings = re.findall(r"^## (.*)$", PAGE.read_text(), re.MULTILINE)
    tried = [*FRAMEWORKS, "Django REST framework"]
    assert headings[: len(tried)] == tried
    for heading in tried:
        for language, text in blocks(heading):
            assert language in {"sh", "python"}
            assert language == "sh" or re.match(r"# [\w/]+\.py\n", text)
