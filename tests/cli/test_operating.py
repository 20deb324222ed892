"""prepare, ping, pepper, and what all commands share: errors, exit codes, help."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

import pytest

COMMANDS = {
    "issue",
    "validate",
    "show",
    "list",
    "count",
    "update",
    "revoke",
    "revoke-all",
    "purge",
    "prepare",
    "ping",
    "pepper new",
    "pepper status",
}


def commands():
    from coatcheck._cli.app import command as coatcheck

    found = {}
    for name, command in coatcheck.commands.items():
        inner = getattr(command, "commands", None)
        if inner is None:
            found[name] = command
        else:
            found |= {f"{name} {key}": value for key, value in inner.items()}
    return found


def test_the_commands_are_those_of_the_documentation():
    assert set(commands()) == COMMANDS


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_json_and_no_option_for_a_secret(name):
    options = {option for param in commands()[name].params for option in param.opts}
    assert "--json" in options
    assert not options & {"--url", "--pepper", "--token", "--secret", "--password"}


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_documents_the_shape_of_its_json(bare, name):
    done = bare(*name.split(), "--help")
    assert done.code == 0
    assert 'With --json: {"' in " ".join(done.out.split())


def test_help_lists_the_exit_codes_and_the_version_is_known(bare):
    assert "3 the store could not be asked" in " ".join(bare("--help").out.split())
    assert bare("--version").out.strip()
    nothing = bare()
    assert nothing.code == 2
    assert "Usage" in nothing.out


def test_a_new_pepper_is_random_long_and_needs_no_configuration(bare, monkeypatch):
    monkeypatch.delenv("COATCHECK_URL")
    monkeypatch.delenv("COATCHECK_PEPPER")
    first, second = bare("pepper", "new"), bare("pepper", "new", "--json")
    assert first.code == second.code == 0
    assert first.out.strip() != second.json["pepper"]
    assert len(first.out.strip()) == len(second.json["pepper"]) == 43
    monkeypatch.setenv("COATCHECK_URL", bare.url)
    monkeypatch.setenv("COATCHECK_PEPPER", first.out.strip())
    done = bare("prepare")
    assert (done.code, done.err) == (0, "")


def test_only_prepare_makes_the_schema_and_the_others_say_so(bare, monkeypatch):
    monkeypatch.setenv("COATCHECK_PREPARE", "true")
    for words in (["issue", "ada", "--method", "m"], ["ping"], ["count"], ["pepper", "status"]):
        done = bare(*words)
        assert (done.code, done.out) == (3, "")
        assert "coatcheck prepare" in done.err
        assert done.err.count("\n") == 1
    assert list(bare.directory.iterdir()) == []
    monkeypatch.setenv("COATCHECK_PREPARE", "false")
    assert bare("prepare").out == "the store is ready\n"
    assert bare("prepare", "--json").json == {"prepared": True}
    assert bare("issue", "ada", "--method", "m").code == 0


def test_ping_says_how_long_the_store_took(shell):
    assert shell("ping").out.startswith("the store answers in ")
    document = shell("ping", "--json").json
    assert document["alive"] is True
    assert document["milliseconds"] >= 0


def test_a_rotation_can_be_followed_to_its_end(shell, monkeypatch):
    token = shell("issue", "ada", "--method", "m").out.strip().encode()
    old = shell("pepper", "status", "--json").json["peppers"][0]
    assert old == {**old, "place": 0, "sessions": 1, "retirable": False}

    monkeypatch.setenv("COATCHECK_PEPPER", "another-pepper-of-more-than-thirty-two-bytes")
    lost = shell("pepper", "status", "--json")
    assert lost.code == 1
    assert {key: lost.json["peppers"][1][key] for key in ("place", "sessions")} == {
        "place": None,
        "sessions": 1,
    }
    warned = shell("pepper", "status")
    assert old["pepper_id"] in warned.err
    assert "unknown" in warned.out

    monkeypatch.setenv("COATCHECK_FALLBACK_PEPPERS", f'["{shell.pepper}"]')
    waiting = shell("pepper", "status", "--json")
    assert waiting.code == 0
    assert waiting.json["peppers"][1] == {**old, "place": 1, "sessions": 1, "retirable": False}
    assert "retired" not in shell("pepper", "status").out

    assert shell("validate", stdin=token).code == 0
    done = shell("pepper", "status", "--json")
    assert [pepper["sessions"] for pepper in done.json["peppers"]] == [1, 0]
    assert [pepper["retirable"] for pepper in done.json["peppers"]] == [False, True]
    assert "fallback 1 holds no session: it can be retired" in shell("pepper", "status").out


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("COATCHECK_URL", None),
        ("COATCHECK_URL", "nosuch://store"),
        ("COATCHECK_URL", "sqlite:///x.db?nosuch=1"),
        ("COATCHECK_PEPPER", None),
        ("COATCHECK_PEPPER", "short"),
        ("COATCHECK_DEADLINE", "soon"),
        ("COATCHECK_SECRETS_DIR", "/nosuch/directory"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_code_2(shell, monkeypatch, setting, value):
    if value is None:
        monkeypatch.delenv(setting)
    else:
        monkeypatch.setenv(setting, value)
    done = shell("count", "--json")
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert done.err.startswith("coatcheck: ")


def test_settings_come_from_dotenv_and_from_the_toml_file_too(shell, monkeypatch):
    monkeypatch.delenv("COATCHECK_URL")
    monkeypatch.delenv("COATCHECK_PEPPER")
    Path(".env").write_text(f"COATCHECK_PEPPER={shell.pepper}\n")
    Path("coatcheck.toml").write_text(f'url = "{shell.url}"\n')
    assert shell("count").out == "0\n"


def test_a_store_that_cannot_be_asked_is_exit_code_3(shell, monkeypatch):
    session = shell("issue", "ada", "--method", "m", "--json").json["session"]
    monkeypatch.setenv("COATCHECK_DEADLINE", "0.2")
    blocker = sqlite3.connect(shell.directory / "sessions.db")
    blocker.execute("BEGIN IMMEDIATE")
    for words in (["revoke", session["id"]], ["purge", "--yes"]):
        done = shell(*words)
        assert (done.code, done.out) == (3, "")
        assert done.err.count("\n") == 1
    blocker.rollback()
    blocker.close()
    assert shell("revoke", session["id"]).code == 0


def test_a_file_that_is_no_database_is_exit_code_3(bare):
    (bare.directory / "sessions.db").write_text("This is a diary. " * 100)
    done = bare("count")
    assert (done.code, done.out) == (3, "")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ["nosuch"],
        ["count", "--nosuch"],
        ["count", "stray"],
        ["issue"],
        ["issue", "ada"],
        ["list", "--limit", "many"],
        ["purge", "--only", "some"],
        ["pepper"],
        ["pepper", "nosuch"],
    ],
)
def test_a_misused_command_is_one_line_that_points_at_the_help(shell, words):
    done = shell(*words)
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert "--help" in done.err


def test_a_defect_is_neither_a_yes_nor_a_no(shell, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("\x1b[31m")

    monkeypatch.setattr("coatcheck._managers.sync.SessionManager.count", broken)
    done = shell("count")
    assert done.code == 70
    assert done.out == ""
    assert "ZeroDivisionError" in done.err.splitlines()[0]
    assert all(line.startswith("coatcheck: ") for line in done.err.splitlines())
    assert "\x1b" not in done.err


def test_without_the_extra_one_line_says_what_to_install(monkeypatch, capsys):
    from coatcheck._cli import main

    for missing in ("typer", "rich"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, missing, None)
            with pytest.raises(SystemExit) as stopped:
                main()
        assert stopped.value.code == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1
        assert 'pip install "coatcheck[cli]"' in err


def test_a_store_of_one_process_is_warned_of(bare, monkeypatch):
    monkeypatch.setenv("COATCHECK_URL", "memory:")
    done = bare("issue", "ada", "--method", "m", "--json")
    assert done.code == 0
    assert "token" in done.json
    assert "one process" in done.err
