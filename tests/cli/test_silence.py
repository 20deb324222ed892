"""No secret in what the command prints, and nothing that a terminal would obey."""

from __future__ import annotations

import json
import sqlite3

import pytest

# An escape sequence, a window title (OSC), C1 controls, line ends, a bidirectional
# override, zero-width and DEL, and what rich would take for markup.
NASTY = "\x1b[31m \x1b]0;title\x07 \x9b2J \x90q\x9c \r\n\t\x0b\u2028 \u202etxt\u2066 \u200b\x7f"
MARKUP = "[bold red]loud[/] [link=https://example.org]x[/link] :boom:"


def harmless(text: str) -> bool:
    return all(char.isprintable() or char == "\n" for char in text)


@pytest.fixture
def hostile(shell):
    """A session with all of it in its metadata, and what the field rules let pass elsewhere."""
    metadata = json.dumps({"agent": NASTY, NASTY.replace("\x7f", ""): [MARKUP]})
    words = ["--metadata", metadata, "--scope", "[red]scope[/red]"]
    user, method = f"ada\u202e\u200b{MARKUP}", "pass\u2066word"
    return shell("issue", user, "--method", method, *words, "--json").json["session"]


def test_values_are_shown_without_their_escapes_and_their_markup(shell, hostile):
    for words in (["show", hostile["id"]], ["list"], ["list", "--all"]):
        done = shell(*words)
        assert done.code == 0
        assert harmless(done.out)
        assert (
            r"ada\u202e\u200b[bold red]loud[/] [link=https://example.org]x[/link] :boom:"
            in done.out
        )
        assert "[red]scope[/red]" in done.out
    shown = shell("show", hostile["id"]).out
    assert r"\u001b[31m" in shown or r"\x1b[31m" in shown
    assert MARKUP in shown


def test_json_escapes_the_same_and_gives_back_the_same_values(shell, hostile):
    done = shell("show", hostile["id"], "--json")
    assert harmless(done.out)
    assert done.json["session"]["metadata"]["agent"] == NASTY
    assert harmless(shell("list", "--all", "--json").out)
    revoked = shell("revoke-all", "--user", hostile["user_id"], "--json")
    assert harmless(revoked.out)
    assert revoked.json["revoked"][0]["user_id"] == hostile["user_id"]


def test_a_row_that_was_tampered_with_reaches_no_terminal_raw(shell):
    session = shell("issue", "ada", "--method", "m", "--json").json["session"]
    database = sqlite3.connect(shell.directory / "sessions.db")
    with database:
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_schema")]
        (table,) = [name for name in tables if "session" in name and not name.startswith("ix")][:1]
        database.execute(f"UPDATE {table} SET user_id = ?, method = ?", (NASTY, NASTY))
    database.close()
    for words in (["show", session["id"]], ["list"], ["list", "--json"], ["pepper", "status"]):
        done = shell(*words)
        assert done.code in {0, 3}
        assert harmless(done.out + done.err)


@pytest.mark.parametrize(
    "words",
    [
        ["no\x1b[31msuch"],
        ["count", "--no\x1b]0;such"],
        ["count", "\x9bstray"],
        ["list", "--limit", "\x1b[31m"],
        ["show", "\x1b[31m"],
        ["purge", "--only", "\u202e"],
    ],
)
def test_a_complaint_about_an_argument_obeys_none_of_it(shell, words):
    done = shell(*words)
    assert done.code == 2
    assert harmless(done.err)


def test_a_token_given_by_mistake_is_not_repeated(shell):
    token = shell("issue", "ada", "--method", "m").out.strip()
    body = token.partition("_")[2]
    for words in (
        ["validate", token],
        ["validate", "--token", token],
        [token],
        ["show", token],
        ["revoke", token],
        ["count", token],
        ["list", "--after", token],
        ["list", "--limit", token],
        ["purge", "--only", token],
        ["issue", "ada", "--method", "m", "--metadata", token],
        ["issue", "ada", "--method", "m", "--lifetime", token],
        ["pepper", token],
        [f"--{token}"],
    ):
        done = shell(*words)
        assert done.code == 2
        assert body not in done.out + done.err
        assert body[:40] not in done.out + done.err


def test_no_command_shows_pepper_hash_or_token(shell):
    issued = shell("issue", "ada", "--method", "m", "--json").json
    token, session = issued["token"], issued["session"]
    database = sqlite3.connect(shell.directory / "sessions.db")
    dump = "\n".join(database.iterdump())
    database.close()
    assert token not in dump
    assert "$" in dump
    for words in (
        ["validate"],
        ["validate", "--json"],
        ["show", session["id"]],
        ["show", session["id"], "--json"],
        ["list"],
        ["list", "--json"],
        ["update", session["id"], "--scope", "a"],
        ["pepper", "status"],
        ["pepper", "status", "--json"],
        ["revoke-all", "--user", "ada", "--json"],
    ):
        done = shell(*words, stdin=token.encode())
        assert done.code == 0
        for secret in (shell.pepper, token.partition("_")[2], "$hmac", "$argon2"):
            assert secret not in done.out + done.err


def test_a_password_in_the_url_and_a_pepper_in_a_wrong_place_stay_unseen(shell, monkeypatch):
    monkeypatch.setenv("COATCHECK_URL", "nosuch://user:canary-password@host/x")
    done = shell("count")
    assert done.code == 2
    assert "canary" not in done.err
    monkeypatch.setenv("COATCHECK_URL", "sqlite:///x.db?password=canary-password")
    assert "canary" not in shell("count").err
    monkeypatch.setenv("COATCHECK_URL", shell.url)
    for given in ("canary-fallback", '["canary-fallback"', '{"a": "canary-fallback"}'):
        monkeypatch.setenv("COATCHECK_FALLBACK_PEPPERS", given)
        done = shell("count")
        assert done.code == 2
        assert "canary" not in done.err
