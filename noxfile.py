"""The project's commands. `nox -l` lists them; `nox -s tests` is the one to run before a commit."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["lint", "types", "tests", "docs", "wheel"]
nox.options.error_on_external_run = True

PROJECT = nox.project.load_toml("pyproject.toml")


def group(*names: str) -> list[str]:
    """The requirements of the dependency groups of `pyproject.toml`."""
    return list(nox.project.dependency_groups(PROJECT, *names))


def is_found(version: str) -> bool:
    """Whether this Python is on the path and starts, which a shim of pyenv's may not."""
    path = shutil.which(f"python{version}")
    if path is None:
        return False
    answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    return answer.stdout.startswith(f"Python {version}.")


PYTHONS = list(filter(is_found, ("3.11", "3.12", "3.13")))


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """All tests on real stores, on each Python that is found. Arguments go to pytest."""
    session.install("-e", ".[cli,conformance]", *group("tests"))
    session.run("pytest", "-n", "auto", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, format, and the direction of imports."""
    session.install("-e", ".", *group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """mypy and pyright, both strict."""
    session.install("-e", ".[cli,conformance]", *group("tests", "types", "bench"))
    session.run("mypy")
    session.run("pyright", "--pythonpath", f"{session.bin}/python")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation, without a warning, into docs/_build."""
    session.install("-e", ".[cli,conformance]", *group("docs"))
    session.run("sphinx-build", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html")


@nox.session
def demo(session: nox.Session) -> None:
    """A web service on an SQLite file, driven over HTTP. `-- --once` stops it at the end."""
    session.install("-e", ".[cli]", *group("demo"))
    session.run("python", "examples/demo/drive.py", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Every figure of docs/performance.md, measured against the raw driver in one run."""
    session.install("-e", ".", *group("bench"))
    session.run("python", "benchmarks/sqlite.py", *session.posargs)


@nox.session
def wheel(session: nox.Session) -> None:
    """The built wheel in an empty environment, tried without the sources."""
    distributions = Path(session.create_tmp())
    session.install("build")
    session.run("python", "-m", "build", "--outdir", str(distributions), silent=True)
    built = max(distributions.glob("coatcheck-*.whl"), key=lambda path: path.stat().st_mtime)
    session.install(f"coatcheck[cli] @ {built.resolve().as_uri()}")
    trial = Path("tests/wheel/trial.py").resolve()
    session.chdir(distributions)
    session.run("python", "-I", str(trial))
