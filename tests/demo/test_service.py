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
    monkeypatch.setenv("COATCHECK_DEADLINE", "0.2")
    spec = importlib.util.spec_from_file_location("demo_service", SERVICE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with TestClient(module.app, raise_server_exceptions=False) as client:
        yield client


ADA = {"user": "ada", "password": "analytical engine"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"{}", 400),
        (b"\xff", 400),
        (b"null", 400),
        (b'{"user": "ada"}', 400),
        (b'{"user": "ada", "password": "wrong"}', 401),
        (b'{"user": "nobody", "password": ""}', 401),
        (b'{"user": "ada", "password": "\\ud800"}', 401),
        (b'{"user": null, "password": null}', 401),
    ],
)
def test_a_bad_login_is_refused(client, body, status):
    answer = client.post("/login", content=body)
    assert answer.status_code == status
    assert (answer.headers.get("WWW-Authenticate") == "Bearer") is (status == 401)


def test_a_token_counts_only_as_a_bearer_token_and_only_until_the_logout(client):
    token = client.post("/login", json=ADA).json()["token"]
    assert client.get("/me", headers=bearer(token)).json()["user"] == "ada"
    for value in ("", token, f"Basic {token}", "Bearer", f"Bearer {token}x", f"Bearer  {token}"):
        answer = client.get("/me", headers={"Authorization": value})
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert client.post("/logout", headers=bearer(token)).status_code == 204
    assert client.get("/me", headers=bearer(token)).status_code == 401
    assert client.post("/logout", headers=bearer(token)).status_code == 401


def test_a_store_that_fails_signs_nobody_in_and_nobody_out(client, tmp_path):
    token = client.post("/login", json=ADA).json()["token"]
    blocker = sqlite3.connect(tmp_path / "sessions.db")
    blocker.execute("BEGIN IMMEDIATE")
    for answer in (
        client.post("/login", json=ADA),
        client.post("/logout", headers=bearer(token)),
    ):
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    blocker.rollback()
    blocker.close()
    assert client.get("/me", headers=bearer(token)).status_code == 200
    (tmp_path / "sessions.db").unlink()
    answer = client.get("/me", headers=bearer(token))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
