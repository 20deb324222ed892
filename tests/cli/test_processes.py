"""The installed command in processes of its own: sharing, terminals, pipes, Ctrl-C."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

COATCHECK = Path(sys.executable).with_name("coatcheck")


def test_a_change_from_one_process_counts_at_the_next_request_in_another(shell):
    with shell.manager() as sessions:
        issued = sessions.issue("ada", method="password", scopes={"read"})
        added = shell.process("update", str(issued.session.id), "--scope", "read", "--scope", "w")
        assert (added.code, added.err) == (0, "")
        assert sessions.validate(issued.token).scopes == {"read", "w"}
        assert shell.process("validate", stdin=f"{issued.token}\n").code == 0
        assert shell.process("revoke", str(issued.session.id)).code == 0
        assert not sessions.validate(issued.token)
    refused = shell.process("validate", "--json", stdin=issued.token)
    assert refused.code == 1
    assert refused.json["reason"] == "unknown"


def test_on_a_terminal_the_token_still_is_alone_on_standard_output(shell, plain):
    done = shell.terminal("issue", "ada", "--method", "password", split=True)
    assert done.code == 0
    assert done.out.startswith("cck_")
    assert done.out.count("\n") == 1
    assert "shown this once" in plain(done.err)
    assert "ada" in plain(done.err)
    assert done.out.strip() not in done.err


def test_the_prompt_for_a_token_does_not_show_it(shell, plain):
    with shell.manager() as sessions:
        token = sessions.issue("ada", method="password").token
    done = shell.terminal("validate", expect="Token: ", keys=f"{token}\n")
    assert done.code == 0
    assert "ada" in plain(done.out)
    assert token not in done.out


def test_ctrl_c_at_a_prompt_is_exit_code_130_without_a_traceback(shell):
    done = shell.terminal("validate", expect="Token: ", keys="\x03")
    assert done.code == 130
    assert "Traceback" not in done.err


def test_the_question_says_how_many_and_no_is_the_default(shell, plain):
    with shell.manager() as sessions:
        for user in ("ada", "ada", "grace"):
            sessions.issue(user, method="password")
        for keys in ("\n", "maybe\n"):
            done = shell.terminal(
                "revoke-all", "--everyone", "--json", expect="[y/N] ", keys=keys, split=True
            )
            assert "This revokes 3 sessions of 2 users. Go on? [y/N] " in plain(done.err)
            assert (done.code, done.out) == (1, "")
            assert sessions.count() == 3
        done = shell.terminal(
            "revoke-all", "--everyone", "--json", expect="[y/N] ", keys="y\n", split=True
        )
        assert done.code == 0
        assert len(done.json["revoked"]) == 3
        assert sessions.count() == 0


def test_a_purge_on_a_terminal_asks_and_moves_a_bar(shell, plain):
    shell.ended("ada", 5)
    shell.ended("grace", 20, days=10)
    words = ["purge", "--only", "inactive", "--batch-size", "4"]
    done = shell.terminal(*words, expect="[y/N] ", keys="yes\n")
    assert done.code == 0
    shown = plain(done.out)
    assert "This removes 20 sessions of 1 user." in shown
    assert "Purging" in shown
    assert "20 sessions purged" in shown
    assert shell("count").out == "5\n"


def test_a_reader_that_goes_away_is_no_error(shell, monkeypatch):
    # Without a buffer Python itself forgets what a pipe did not take (CPython issue 82052).
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    with shell.manager() as sessions:
        for _ in range(300):
            sessions.issue("u" * 255, method="m" * 255)
    for words in (["list", "--all", "--json"], ["list", "--all"]):
        process = subprocess.Popen(
            [sys.executable, "-c", "from coatcheck._cli import main; main()", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        os.read(process.stdout.fileno(), 10)  # a pipe holds 64 KiB, and there is more to come
        process.stdout.close()
        complaint = process.stderr.read()
        process.stderr.close()
        assert process.wait(timeout=10) == 141
        assert complaint == b""


def test_a_terminal_without_unicode_still_gets_an_answer(shell, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    session = shell("issue", "Zoë☃", "--method", "m", "--json").json["session"]
    done = shell.process("show", session["id"])
    assert done.code == 0
    assert r"Zo\xeb\u2603" in done.out


def test_closed_streams_are_no_defect(shell):
    for redirection, words, expected in [
        ("<&-", "validate", 1),
        ("<&-", "purge", 2),
        (">&-", "count", 0),
        ("2>&-", "show nothing", 2),
    ]:
        command = f'exec "{COATCHECK}" {words} {redirection}'
        done = subprocess.run(["sh", "-c", command], capture_output=True, check=False)
        assert done.returncode == expected


def test_a_narrow_terminal_cuts_nothing_off(shell, plain):
    words = [word for n in range(20) for word in ("--scope", f"scope-{n}")]
    user = "ada.lovelace@analytical-engine.example.org"
    session = shell("issue", user, "--method", "password", *words, "--json").json["session"]
    shown = plain(shell.terminal("list", columns=60).out).splitlines()
    assert session["id"] in shown[2]
    assert shown[2].rstrip().endswith("in 6 d")
    # What was broken over lines is whole again when its column is read downwards.
    start, end = shown[0].index("user"), shown[0].index("method")
    assert "".join(line[start:end].strip() for line in shown[2:]) == user
    start, end = shown[0].index("scopes"), shown[0].index("ends")
    scopes = "".join(line[start:end].strip() for line in shown[2:])
    assert scopes == "".join(session["scopes"])
