"""Commands that come from other packages by entry points."""

from __future__ import annotations

import subprocess
import sys

import pytest

from distributions import install

GREETER = """
import typer

greetings = typer.Typer(help="Greet at length.")


def greet(name: str, loud: bool = False) -> int:
    \"""Greet somebody.\"""
    typer.echo(name.upper() if loud else name)
    return 1 if loud else 0


@greetings.command()
def formal(name: str) -> None:
    \"""Greet a stranger.\"""
    typer.echo(f"Good day, {name}")


number = 42
"""
ENTRY_POINTS = """
[coatcheck.commands]
count = greeter:greet
greet = greeter:greet
greetings = greeter:greetings
lacking = needy:greet
broken = defective:greet
number = greeter:number
twice = greeter:greet
"""


@pytest.fixture
def greeter(shell, tmp_path_factory, monkeypatch):
    """The command, with two distributions that add to it."""
    site = tmp_path_factory.mktemp("site")
    (site / "greeter.py").write_text(GREETER)
    (site / "needy.py").write_text("import nosuch_driver")
    (site / "defective.py").write_text("1 / 0")
    required = "Requires-Dist: nosuch-thing\nRequires-Dist: nosuch_driver>=2; extra == 'driver'\n"
    install(site, "greeter", ENTRY_POINTS, required)
    install(site, "rival", "[coatcheck.commands]\ntwice = greeter:greetings\n")
    monkeypatch.syspath_prepend(site)
    yield shell
    for module in ("greeter", "needy", "defective"):
        sys.modules.pop(module, None)


def test_a_function_becomes_a_command_and_a_typer_a_group(greeter):
    done = greeter("greet", "ada")
    assert (done.code, done.out, done.err) == (0, "ada\n", "")
    assert greeter("greet", "ada", "--loud").code == 1
    assert greeter("greetings", "formal", "ada").out == "Good day, ada\n"
    assert "Greet a stranger." in greeter("greetings", "--help").out
    for words in (["greet"], ["greet", "--nosuch"], ["greetings"], ["greetings", "nosuch"]):
        done = greeter(*words)
        assert (done.code, done.out) == (2, "")
        assert done.err.count("\n") == 1
        assert f"coatcheck {words[0]} --help" in done.err


def test_the_help_lists_them_whether_they_can_be_had_or_not(greeter):
    listed = " ".join(greeter("--help").out.split())
    for words in ("Greet somebody.", "Greet at length.", "Begin a backend", "Count the sessions"):
        assert words in listed
    for name in ("lacking", "broken", "number", "twice"):
        assert f"│ {name} " in listed


def test_a_name_of_ours_cannot_be_taken(greeter):
    assert greeter("count").out == "0\n"


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("lacking", "needs the module 'nosuch_driver'… pip install \"greeter[driver]\""),
        ("broken", "of greeter cannot be imported (ZeroDivisionError)"),
        ("number", "greeter:number is no command"),
        ("twice", "greeter (greeter:greet), rival (greeter:greetings)"),
    ],
)
def test_one_that_cannot_be_had_says_why_on_one_line(greeter, name, complaint):
    for words in ([], ["--help"], ["what", "--ever", "-x"]):
        done = greeter(name, *words)
        assert (done.code, done.out) == (2, "")
        assert done.err.count("\n") == 1
        assert all(part in done.err for part in complaint.split("…"))


def test_without_the_extra_the_command_names_it():
    program = (
        "import sys; sys.modules.update(hypothesis=None, pytest=None)\n"
        "from coatcheck._cli.app import run\n"
        "sys.exit(run(['conformance', 'memory:']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert 'pip install "coatcheck[conformance]"' in done.stderr


@pytest.mark.parametrize("words", [["count"], ["pepper", "new"], ["--version"], ["nosuch"]])
def test_no_other_command_imports_what_they_need(shell, words):
    program = (
        "import sys\n"
        "from coatcheck._cli.app import run\n"
        f"run({words!r})\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    imported = set(done.stdout.splitlines()[-1].split())
    assert "typer" in imported
    assert not imported & {"hypothesis", "pytest", "coatcheck_conformance"}
