"""The suite by the command line: what it says, what it refuses, and what it leaves alone."""

from __future__ import annotations

import shlex
import sys

import pytest

from coatcheck_conformance import LAWS
from distributions import install

# One law that is quick to try, and quick to break.
LAW = ("--law", "9")
BROKEN = '''
"""A store in memory whose `touch` asks nobody whether the session has ended."""

from coatcheck import hookimpl
from coatcheck_backends.memory import MemoryBackend


class Forgetful(MemoryBackend):
    @hookimpl
    def touch(self, session_id, now):
        record = self._records.get(session_id)
        if record is not None:
            self._records[session_id] = record._replace(last_used_at=now)
        return record is not None


class Unlisted(MemoryBackend):
    @hookimpl
    def info(self):
        return super().info()._replace(capabilities=frozenset())


@hookimpl
def open_backend(url):
    return Unlisted() if "unlisted" in url.reveal() else Forgetful()
'''


@pytest.fixture
def forgetful(shell, tmp_path_factory, monkeypatch):
    """The command, with a broken backend that is installed."""
    site = tmp_path_factory.mktemp("site")
    (site / "forgetful.py").write_text(BROKEN)
    install(site, "forgetful", "[coatcheck.backends]\nforgetful = forgetful\n")
    monkeypatch.syspath_prepend(site)
    yield shell
    sys.modules.pop("forgetful", None)


def test_a_backend_that_keeps_the_law_is_a_yes(shell) -> None:
    done = shell("conformance", shell.url, *LAW)
    assert done.code == 0
    assert "BROKEN" not in done.out
    assert done.err == ""
    [row] = [line for line in done.out.splitlines() if line.startswith("law 9")]
    assert row.split()[-3] == "kept"
    assert int(row.split()[-1]) >= 50
    assert done.out.splitlines()[-1] == f"not asked for: {len(LAWS) - 1} laws"


def test_json_is_one_document_with_every_law(shell) -> None:
    found = shell("conformance", "memory:", *LAW, "--face", "sync", "--json").json
    assert found["ok"] is True
    assert found["broken"] == []
    states = {row["heading"]: row["state"] for row in found["laws"]}
    assert [states.pop(str(law)) for n, law in LAWS.items() if n == 9] == ["kept"]
    assert set(states.values()) == {"not shown"}
    assert {outcome["face"] for outcome in found["outcomes"]} == {"sync"}


def test_a_broken_law_is_a_no_with_its_history_and_the_line_that_runs_it_again(forgetful) -> None:
    done = forgetful("conformance", "forgetful:x", *LAW, "--face", "sync", "--seed", "1")
    assert done.code == 1
    assert "BROKEN: law 9, no return (forgetful, sync)" in done.out
    assert LAWS[9].words in done.out
    assert "\n    1. issue(" in done.out
    line = next(line for line in done.out.splitlines() if "run again: " in line)
    again = shlex.split(line.partition("run again: ")[2])
    assert again[0] == "coatcheck"
    repeated = forgetful(*again[1:])
    assert repeated.code == 1
    told, _, _ = done.out.partition("\n\n")
    assert repeated.out.startswith(told)


def test_a_store_that_holds_sessions_is_left_alone_unless_told_otherwise(shell) -> None:
    with shell.manager() as sessions:
        issued = sessions.issue("ann", method="password")
    done = shell("conformance", shell.url, *LAW)
    assert done.code == 2
    assert "--erase" in done.err
    with shell.manager() as sessions:
        assert sessions.validate(issued.token)
    assert shell("conformance", shell.url, *LAW, "--erase").code == 0
    with shell.manager() as sessions:
        assert sessions.count() == 0


def test_the_url_may_come_from_the_environment_and_its_password_is_never_shown(
    shell, monkeypatch, fresh_postgresql_url
) -> None:
    monkeypatch.setenv("COATCHECK_URL", fresh_postgresql_url)
    done = shell("conformance", "--law", "6", "--face", "sync")
    assert done.code == 0
    assert "postgresql" not in done.err
    from coatcheck_conformance.command import _again
    from coatcheck_conformance.report import Outcome

    outcome = Outcome("postgresql", "sync", 6, "law 6", "a_check", 0, 0.0, 7)
    line = _again("postgresql://app:canary@db.example/app", "quick", outcome)
    assert "canary" not in line
    assert '"$COATCHECK_URL"' in line


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["nosuch:"], "no backend is installed for the URL scheme 'nosuch'"),
        (["memory:", "--law", "20"], "--law is a number from 1 to 19"),
        (["memory:", "--check", "nosuch"], "--check is the name of a check"),
        (["memory:", "--profile", "slow"], "--profile is one of quick, default, thorough"),
        (["memory:", "--face", "both"], "face"),
        ([], "URL is missing"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(shell, monkeypatch, words, complaint) -> None:
    monkeypatch.delenv("COATCHECK_URL", raising=False)
    done = shell("conformance", *words)
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert complaint in done.err


def test_a_backend_that_cannot_list_its_sessions_wants_a_harness(forgetful) -> None:
    done = forgetful("conformance", "forgetful:unlisted")
    assert done.code == 2
    assert "write a harness" in done.err


def test_the_command_leaves_the_rest_of_the_command_line_as_light_as_it_was() -> None:
    import subprocess

    script = (
        "import sys; from coatcheck._cli.app import run; run(['pepper', 'new'])\n"
        "assert not {'hypothesis', 'pytest', '_pytest'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)
