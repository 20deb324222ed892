"""update, revoke, revoke-all, purge: what they change, and when they ask first."""

from __future__ import annotations

from uuid import uuid4

import pytest


@pytest.fixture
def three(shell):
    """Two sessions of ada's, one of grace's; their ids."""
    with shell.manager() as sessions:
        return [
            str(sessions.issue(user, method=method, scopes={"read"}).session.id)
            for user, method in (("ada", "password"), ("ada", "passkey"), ("grace", "password"))
        ]


def scopes(shell, session_id):
    return shell("show", session_id, "--json").json["session"]["scopes"]


def test_update_replaces_the_named_fields_and_no_others(shell, three):
    done = shell("update", three[0], "--scope", "a", "--scope", "b", "--json")
    assert done.code == 0
    assert done.json["session"]["scopes"] == ["a", "b"]
    done = shell("update", three[0], "--metadata", '{"n": 1}', "--inactivity-timeout", "none")
    assert done.code == 0
    session = shell("show", three[0], "--json").json["session"]
    assert session["scopes"] == ["a", "b"]
    assert session["metadata"] == {"n": 1}
    assert session["inactivity_timeout"] is None
    assert shell("update", three[0], "--no-scopes", "--expires-at", "none").code == 0
    session = shell("show", three[0], "--json").json["session"]
    assert session["scopes"] == []
    assert session["expires_at"] is None
    assert scopes(shell, three[1]) == ["read"]


def test_update_of_an_absent_or_ended_session_says_no(shell):
    done = shell("update", str(uuid4()), "--no-scopes", "--json")
    assert (done.code, done.json) == (1, {"session": None})
    shell.ended("ada", 1)
    ended = shell("list", "--json").json["sessions"][0]
    assert ended["state"] == "expired"
    assert shell("update", ended["id"], "--expires-at", "none").code == 1


@pytest.mark.parametrize(
    "words",
    [
        ["ID"],
        ["ID", "--scope", "a", "--no-scopes"],
        ["ID", "--user", "ada", "--no-scopes"],
        ["ID", "--everyone", "--no-scopes"],
        ["--no-scopes"],
        ["--user", "ada"],
        ["--everyone", "--user", "ada", "--no-scopes", "--yes"],
        ["--everyone", "--yes"],
        ["--user", "", "--no-scopes"],
    ],
)
def test_update_refuses_what_is_ambiguous_and_changes_nothing(shell, three, words):
    done = shell("update", *(three[0] if word == "ID" else word for word in words))
    assert (done.code, done.out) == (2, "")
    assert [scopes(shell, one) for one in three] == [["read"]] * 3


def test_update_of_one_user_needs_no_confirmation(shell, three):
    done = shell("update", "--user", "ada", "--scope", "w", "--json")
    assert (done.code, done.json) == (0, {"updated": 2})
    assert [scopes(shell, one) for one in three] == [["w"], ["w"], ["read"]]
    done = shell("update", "--user", "ada", "--method", "passkey", "--no-scopes")
    assert (done.code, done.out) == (0, "1 session changed\n")
    assert [scopes(shell, one) for one in three] == [["w"], [], ["read"]]


def test_revoke_signs_out_by_id_and_says_which_were_not_there(shell, three):
    absent = str(uuid4())
    done = shell("revoke", three[0], absent, three[0], "--json")
    assert (done.code, done.json) == (0, {"revoked": [three[0]], "absent": [absent]})
    again = shell("revoke", three[0])
    assert (again.code, again.out) == (1, "")
    assert three[0] in again.err
    assert shell("revoke", three[1]).out == f"revoked {three[1]}\n"
    assert shell("count").out == "1\n"


def test_revoke_all_of_one_user_needs_no_confirmation(shell, three):
    done = shell("revoke-all", "--user", "ada", "--keep", three[1], "--json")
    assert done.code == 0
    assert done.json == {"revoked": [{"id": three[0], "user_id": "ada", "method": "password"}]}
    assert shell("revoke-all", "--user", "ada").out == "1 session of 1 user revoked\n"
    assert shell("revoke-all", "--user", "ada").code == 0
    assert shell("count").out == "1\n"


@pytest.mark.parametrize(
    "words",
    [
        ["revoke-all", "--everyone"],
        ["revoke-all", "--method", "password"],
        ["revoke-all", "--scope", "read"],
        ["revoke-all", "--everyone", "--json"],
        ["update", "--everyone", "--no-scopes"],
        ["update", "--method", "password", "--no-scopes"],
        ["purge"],
        ["revoke", "FIRST", "LAST"],
    ],
)
def test_without_a_terminal_more_than_one_user_needs_yes(shell, three, words):
    shell.ended("ada", 1)
    named = {"FIRST": three[0], "LAST": three[2]}
    words = [named.get(word, word) for word in words]
    done = shell(*words, stdin=b"y\n")
    assert (done.code, done.out) == (2, "")
    assert "--yes" in done.err
    assert shell("count").out == "4\n"
    assert [scopes(shell, one) for one in three] == [["read"]] * 3
    assert shell(*words, "--yes").code == 0


def test_two_sessions_of_one_user_are_revoked_without_a_question(shell, three):
    assert shell("revoke", three[0], three[1]).code == 0
    assert shell("count").out == "1\n"


def test_revoke_all_needs_a_filter_or_everyone_and_not_both(shell, three):
    for words in (["--yes"], ["--everyone", "--user", "ada", "--yes"], ["--keep", three[0]]):
        done = shell("revoke-all", *words)
        assert (done.code, done.out) == (2, "")
    assert shell("count").out == "3\n"
    done = shell("revoke-all", "--everyone", "--keep", three[2], "--yes")
    assert done.out == "2 sessions of 1 user revoked\n"


def test_purge_removes_what_has_ended_and_only_in_the_way_named(shell, three):
    shell.ended("ada", 2, days=40)
    shell.ended("grace", 3, days=10)
    assert shell("purge", "--yes", "--only", "expired", "--json").json == {"purged": 2}
    assert shell("purge", "--yes", "--only", "expired").out == "0 sessions purged\n"
    assert shell("purge", "--yes", "--batch-size", "2").out == "3 sessions purged\n"
    assert shell("count").out == "3\n"
    assert shell("purge", "--yes", "--batch-size", "0").code == 2
