"""The suite in an author's own tests: what it runs, what it says, and how it is run again."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

SUITE = '''
from coatcheck import Where, hookimpl
from coatcheck_backends.memory import MemoryBackend
from coatcheck_conformance import Conformance, Face, Harness, Profile, QUICK


class Merging(MemoryBackend):
    """Breaks law 6."""

    @hookimpl
    def update(self, session_id, changes, where):
        record = self._records.get(session_id)
        if record is not None and "scopes" in changes:
            changes = {**changes, "scopes": record.scopes | changes["scopes"]}
        return super().update(session_id, changes, where)


class Good(Harness):
    kind = MemoryBackend

    def __init__(self):
        self.backend = self.kind()

    def open(self):
        return self.backend

    def reset(self):
        self.backend.delete_where(Where(), frozenset())


class Bad(Good):
    kind = Merging


class TestGood(Conformance):
    harness = Good


class TestBad(Conformance):
    harness = Bad
    faces = (Face.SYNC,)
'''


@pytest.fixture(scope="module")
def author(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the tests of somebody who writes a backend."""
    directory = tmp_path_factory.mktemp("author")
    (directory / "conftest.py").write_text('pytest_plugins = ["coatcheck_conformance.plugin"]\n')
    (directory / "test_conformance.py").write_text(SUITE)
    return directory


def run(author: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *words]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    return subprocess.run(
        command, cwd=author, env=environment, capture_output=True, text=True, check=False
    )


def row(output: str, heading: str, harness: str) -> list[str]:
    """The cells of a law's row in the table of a harness."""
    _, _, table = output.partition(f"conformance of {harness}")
    [line] = [line for line in table.splitlines() if line.startswith(heading)][:1]
    return line.removeprefix(heading).split()


def test_a_backend_that_keeps_the_laws_passes_and_the_table_says_what_was_tried(
    author: Path,
) -> None:
    done = run(author, "-k", "TestGood and (06- or 17- or 15-)", "-rs", "-n", "2")
    assert done.returncode == 0, done.stdout
    state, *numbers = row(done.stdout, "law 6, scopes", "Good")
    assert state == "kept"
    assert sum(map(int, numbers)) >= 100
    # What is not shown is said with its reason, in the table and as a skipped test.
    reason = "not shown: .*does not declare `durable`"
    assert len(re.findall(reason, done.stdout)) >= 2
    assert "not asked for: 16 laws" in done.stdout


def test_a_broken_law_is_told_with_a_line_that_runs_just_that_again(author: Path) -> None:
    done = run(author, "-k", "TestBad and 06-")
    assert done.returncode == 1
    assert "BROKEN: law 6, scopes (Bad, sync)" in done.stdout
    assert "counts at the next validation, and replaces what was there" in done.stdout
    history = re.search(r"history:\n(( {4}\d+\. .*\n)+)", done.stdout)
    assert history
    assert "update(session A" in history[1]
    assert row(done.stdout, "law 6, scopes", "Bad")[0] == "BROKEN"
    line = re.search(r"run again: (pytest .*)", done.stdout)
    assert line
    again = run(author, *shlex.split(line[1])[1:])
    assert again.returncode == 1
    assert history[0] in again.stdout
    assert "1 failed" in again.stdout


def test_one_seed_draws_the_same_and_another_one_something_else(author: Path) -> None:
    seeds = ("--conformance-seed=5", "--conformance-seed=5", "--conformance-seed=6")
    outputs = [run(author, "-k", "TestGood and 06-", each).stdout for each in seeds]
    assert [re.findall(r"^seed: (\d+)$", each, re.MULTILINE) for each in outputs] == [
        ["5"],
        ["5"],
        ["6"],
    ]


def test_a_profile_that_tries_more_tries_more(author: Path) -> None:
    done = run(author, "-k", "TestGood and 06- and sync", "--conformance-profile=default")
    assert done.returncode == 0, done.stdout
    assert int(row(done.stdout, "law 6, scopes", "Good")[1]) >= 250


def test_a_harness_without_reset_is_told_what_it_lacks(author: Path) -> None:
    (author / "test_bare.py").write_text(
        "from coatcheck_conformance import Conformance, Harness\n"
        "from coatcheck_backends.memory import MemoryBackend\n"
        "class Bare(Harness):\n"
        "    def open(self):\n"
        "        return MemoryBackend()\n"
        "class TestBare(Conformance):\n"
        "    harness = Bare\n"
    )
    done = run(author, "test_bare.py", "-k", "01- and sync", "-x")
    assert done.returncode == 1
    assert "a harness has a method `reset`, which empties the store" in done.stdout
