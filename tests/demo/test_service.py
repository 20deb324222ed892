"""The demo's service, asked in this process: what it refuses, and what a failing store means."""

from __future__ import annotations

import importlib.util
import sqlite3
from pathlib import Path

import pytest
from starlette.testclient import TestClient

SERVICE = Path(__file__).parents[2] / "examples" / "demo" / "service.py"


@pytest.fixture
def client(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COATCHECK_URL", "sqlite:///sessions.db")
    monkeypatch.setenv("COATCHECK_PEPPER", "a-pepper-of-more-than-thirty-two-bytes-for-tests")
    monkeypatch.setenv("COATCHECK_DEADLINE", "1")
    monkeypatch.syspath_prepend(SERVICE.parent)
    spec = importlib.util.spec_from_file_location("demo_service", SERVICE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with TestClient(module.app) as client:
        yield client


OURS = {"Sec-Fetch-Site": "same-origin"}
ADA = {"user": "ada", "password": "analytical engine"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"[]", 422),
        (b"{}", 422),
        (b"null", 422),
        (b'{"user": "ada"}', 422),
        (b'{"user": null, "password": null}', 422),
        (b'{"user": "ada", "password": "wrong"}', 401),
        (b'{"user": "nobody", "password": ""}', 401),
    ],
)
def test_a_bad_login_is_refused(client, body, status):
    answer = client.post("/api/login", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert (answer.headers.get("WWW-Authenticate") == "Bearer") is (status == 401)


def test_a_token_counts_until_the_logout(client):
    token = client.post("/api/login", json=ADA).json()["token"]
    assert client.get("/api/me", headers=bearer(token)).json()["user"] == "ada"
    assert client.post("/api/logout", headers=bearer(token)).status_code == 204
    assert client.get("/api/me", headers=bearer(token)).status_code == 401
    assert client.post("/api/logout", headers=bearer(token)).status_code == 401


@pytest.mark.parametrize("wanted", ["/", "/?tab=2", "//evil.example", "https://evil.example", "x"])
def test_a_browser_goes_back_to_where_it_wanted_to_go_if_that_is_here(client, wanted):
    form = ADA | {"next": wanted}
    answer = client.post("/login", data=form, headers=OURS, follow_redirects=False)
    expected = wanted if wanted in {"/", "/?tab=2"} else "/"
    assert (answer.status_code, answer.headers["Location"]) == (303, expected)
    assert answer.headers["Set-Cookie"].startswith("__Host-session=cck_")


def test_a_wrong_password_shows_the_form_again_and_says_so(client):
    form = ADA | {"password": "wrong", "next": "/?tab=2"}
    answer = client.post("/login", data=form, headers=OURS)
    assert answer.status_code == 401
    assert "Wrong user or password." in answer.text
    assert 'value="/?tab=2"' in answer.text


def test_what_a_browser_calls_itself_is_shown_and_not_run(client):
    hostile = {"User-Agent": "<script>alert(1)</script>"}
    answer = client.post("/login", data=ADA, headers=OURS | hostile, follow_redirects=False)
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    page = client.get("/", headers={"Cookie": cookie})
    assert "&lt;script&gt;" in page.text
    assert "<script" not in page.text
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_a_store_that_fails_signs_nobody_in_and_nobody_out(client, tmp_path):
    token = client.post("/api/login", json=ADA).json()["token"]
    blocker = sqlite3.connect(tmp_path / "sessions.db")
    blocker.execute("BEGIN IMMEDIATE")
    for answer in (
        client.post("/api/login", json=ADA),
        client.post("/login", data=ADA, headers=OURS),
        client.post("/api/logout", headers=bearer(token)),
    ):
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    blocker.rollback()
    blocker.close()
    assert client.get("/api/me", headers=bearer(token)).status_code == 200
    (tmp_path / "sessions.db").unlink()
    answer = client.get("/api/me", headers=bearer(token))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
