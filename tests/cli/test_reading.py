"""issue, validate, show, list, count: what they print, and how they exit."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
FIELDS = {
    "id",
    "user_id",
    "method",
    "scopes",
    "metadata",
    "created_at",
    "last_used_at",
    "expires_at",
    "inactivity_timeout",
    "valid_until",
    "state",
    "pepper_id",
}


def issue(shell: Any, user: str = "ada", *words: str) -> tuple[str, dict[str, Any]]:
    document = shell("issue", user, "--method", "password", "--json", *words).json
    return document["token"], document["session"]


def test_issue_prints_the_token_alone_so_that_a_script_can_keep_it(shell):
    done = shell("issue", "ada", "--method", "password")
    assert done.code == 0
    assert re.fullmatch(r"cck_[A-Za-z0-9_-]{60,}\n", done.out)
    assert done.err == ""


def test_issue_takes_every_field_and_json_shows_each(shell):
    token, session = issue(
        shell,
        "ada",
        *("--scope", "write", "--scope", "read"),
        *("--metadata", '{"device": "Firefox", "n": 1.5}'),
        *("--lifetime", "P1DT0.5S", "--inactivity-timeout", "PT1H30M"),
    )
    assert set(session) == FIELDS
    assert session["user_id"] == "ada"
    assert session["method"] == "password"
    assert session["scopes"] == ["read", "write"]
    assert session["metadata"] == {"device": "Firefox", "n": 1.5}
    assert session["inactivity_timeout"] == "PT1H30M"
    assert session["state"] == "live"
    created, expires, until = (
        datetime.fromisoformat(session[name])
        for name in ("created_at", "expires_at", "valid_until")
    )
    assert expires - created == timedelta(days=1, milliseconds=500)
    assert until - created == timedelta(minutes=90)
    assert all(TIME.fullmatch(session[name]) for name in session if name.endswith("_at"))
    with shell.manager() as sessions:
        assert str(sessions.validate(token).id) == session["id"]


def test_issue_takes_none_for_a_session_without_end(shell):
    _, session = issue(shell, "ada", "--expires-at", "none", "--inactivity-timeout", "none")
    assert session["expires_at"] is session["inactivity_timeout"] is session["valid_until"] is None
    assert "no end" in shell("show", session["id"]).out


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--lifetime", "soon"], "--lifetime"),
        (["--lifetime", "9" * 400], "lifetime"),
        (["--lifetime=-P1D"], "lifetime"),
        (["--inactivity-timeout", "0"], "inactivity_timeout"),
        (["--expires-at", "tomorrow"], "--expires-at"),
        (["--expires-at", "2099-01-01T00:00:00"], "time zone"),
        (["--expires-at", "2001-01-01T00:00:00Z"], "expires_at"),
        (["--expires-at", "2099-01-01T00:00:00Z", "--lifetime", "P1D"], "lifetime"),
        (["--metadata", "{"], "--metadata"),
        (["--metadata", "[]"], "--metadata"),
        (["--metadata", "[" * 100_000], "--metadata"),
        (["--metadata", '{"n": NaN}'], "metadata"),
        (["--scope", "two words"], "scopes"),
        (["--scope", ""], "scopes"),
    ],
)
def test_a_wrong_value_is_refused_in_one_line_that_names_its_field(shell, words, named):
    done = shell("issue", "ada", "--method", "password", *words)
    assert done.code == 2
    assert done.out == ""
    assert done.err.count("\n") == 1
    assert named in done.err
    assert shell("count").out == "0\n"


def test_validate_reads_the_token_from_standard_input(shell):
    token, session = issue(shell)
    for stdin in (token, f"{token}\n", f"{token}\r\n"):
        done = shell("validate", "--json", stdin=stdin.encode())
        assert done.code == 0
        assert done.json["valid"] is True
        assert done.json["session"]["id"] == session["id"]
    shown = shell("validate", stdin=token.encode())
    assert shown.code == 0
    assert session["id"] in shown.out


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: "",
        lambda token: f" {token}",
        lambda token: f"{token}\n\n",
        lambda token: token[:-1],
        lambda token: token * 1000,
        lambda token: f"{token}\0",
    ],
)
def test_validate_says_no_with_exit_code_1_to_anything_else(shell, spoil):
    token, _ = issue(shell)
    done = shell("validate", "--json", stdin=spoil(token).encode())
    assert done.code == 1
    assert done.json == {"valid": False, "reason": "malformed", "session_id": None}


def test_validate_takes_bytes_that_are_no_text_for_a_malformed_token(shell):
    assert shell("validate", stdin=b"\xff\xfe\x00").out == "rejected: malformed\n"


def test_validate_says_why_a_token_is_refused(shell):
    token, session = issue(shell)
    assert shell("revoke", session["id"]).code == 0
    done = shell("validate", "--json", stdin=token.encode())
    assert done.code == 1
    assert done.json == {"valid": False, "reason": "unknown", "session_id": session["id"]}
    shown = shell("validate", stdin=token.encode())
    assert shown.out == f"rejected: unknown (session {session['id']})\n"


def test_validate_records_the_use_unless_told_not_to(shell):
    with shell.manager() as sessions:
        past = sessions.issue("ada", method="m").session.created_at - timedelta(days=1)
    with shell.manager(clock=lambda: past) as sessions:
        issued = sessions.issue("ada", method="m")
    token, wanted = issued.token.encode(), str(issued.session.id)
    before = shell("show", wanted, "--json").json["session"]["last_used_at"]
    assert shell("validate", "--no-touch", stdin=token).code == 0
    assert shell("show", wanted, "--json").json["session"]["last_used_at"] == before
    assert shell("validate", stdin=token).code == 0
    assert shell("show", wanted, "--json").json["session"]["last_used_at"] > before


def test_show_has_an_exit_code_for_a_session_that_is_not_there(shell):
    _, session = issue(shell)
    assert shell("show", session["id"], "--json").json == {"session": session}
    absent = shell("show", str(uuid4()), "--json")
    assert (absent.code, absent.json) == (1, {"session": None})
    assert shell("show", str(uuid4())).code == 1


@pytest.mark.parametrize("spelling", ["{%s}", "urn:uuid:%s", " %s", "x", ""])
def test_a_session_id_has_one_spelling(shell, spelling):
    _, session = issue(shell)
    done = shell("show", spelling.replace("%s", session["id"]))
    assert (done.code, done.out) == (2, "")


def test_list_and_count_apply_every_filter(shell):
    with shell.manager() as sessions:
        a = sessions.issue("ada", method="password", scopes={"read", "write"}).session
        b = sessions.issue("ada", method="passkey", scopes={"read"}).session
        c = sessions.issue("grace", method="password").session
    shell.ended("ada", 1)
    ended = next(s["id"] for s in shell("list", "--ended", "--json").json["sessions"])
    a, b, c = (str(session.id) for session in (a, b, c))
    for words, expected in [
        ([], {a, b, c, ended}),
        (["--user", "ada"], {a, b, ended}),
        (["--user", "ada", "--live"], {a, b}),
        (["--method", "password", "--live"], {a, c}),
        (["--scope", "write"], {a}),
        (["--ended"], {ended}),
        (["--user", "nobody"], set()),
        (["--pepper-id", "0000000000000000"], set()),
    ]:
        listed = shell("list", *words, "--json")
        assert listed.code == 0
        assert {session["id"] for session in listed.json["sessions"]} == expected
        assert shell("count", *words, "--json").json == {"count": len(expected)}
        assert shell("count", *words).out == f"{len(expected)}\n"


@pytest.mark.parametrize("option", ["--user", "--method", "--scope", "--pepper-id"])
@pytest.mark.parametrize("command", ["list", "count", "revoke-all"])
def test_an_empty_filter_is_refused_and_never_means_all(shell, command, option):
    issue(shell)
    words = ["--yes"] if command == "revoke-all" else []
    done = shell(command, option, "", *words)
    assert (done.code, done.out) == (2, "")
    assert shell("count").out == "1\n"


def test_list_pages_with_after_and_all_walks_every_page(shell, monkeypatch):
    monkeypatch.setattr("coatcheck._cli.opening.PAGE", 2)
    with shell.manager() as sessions:
        ids = sorted(str(sessions.issue("ada", method="m").session.id) for _ in range(5))
    walked: list[str] = []
    after: list[str] = []
    while True:
        page = shell("list", "--limit", "2", "--json", *after).json
        walked += [session["id"] for session in page["sessions"]]
        if page["next_after"] is None:
            break
        after = ["--after", page["next_after"]]
    assert walked == ids
    everything = shell("list", "--all", "--json").json
    assert [session["id"] for session in everything["sessions"]] == ids
    assert everything["next_after"] is None
    rest = shell("list", "--all", "--json", "--after", ids[2]).json
    assert [session["id"] for session in rest["sessions"]] == ids[3:]
    table = shell("list", "--all").out
    assert all(session_id in table for session_id in ids)
    assert shell("list", "--all", "--limit", "1").code == 2
    assert shell("list", "--limit", "1001").code == 2


def test_all_of_nothing_is_still_one_json_document(shell):
    assert shell("list", "--all", "--json").json == {"sessions": [], "next_after": None}


def test_a_table_shows_ids_whole_and_a_line_for_each_session(shell):
    _, session = issue(shell, "ada", *(word for n in range(30) for word in ("--scope", f"s{n}")))
    lines = shell("list").out.splitlines()
    assert [line for line in lines if session["id"] in line and "ada" in line and "s29" in line]


def test_json_keeps_metadata_as_it_was_given(shell):
    metadata = {"": None, "$ne": [True, 1, 1.0, "1"], "a.b": {"ü": "☃"}, "i": 2**63 - 1}
    _, session = issue(shell, "ada", "--metadata", json.dumps(metadata))
    read = shell("show", session["id"], "--json").json["session"]["metadata"]
    assert json.dumps(read, sort_keys=True) == json.dumps(metadata, sort_keys=True)
