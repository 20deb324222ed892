"""The project's commands. `nox -l` lists them; `nox -s tests` is the one to run before a commit."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["lint", "types", "tests", "docs", "wheel"]
nox.options.error_on_external_run = True

ALL_STORES = "postgresql,asyncpg,mongodb"
ALL_WEB = "client,django,fastapi,flask,keyring,rest-framework,starlette"
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
    session.install("-e", f".[cli,{ALL_STORES},{ALL_WEB},conformance]", *group("tests"))
    # One more than there are cores, since many tests wait for a server.
    session.run("pytest", "-n", str((os.cpu_count() or 1) + 1), *session.posargs)


@nox.session
def conformance(session: nox.Session) -> None:
    """The public suite on every store of ours, with servers of its own that it kills.

    `-- --conformance-profile=thorough` takes hours. `COATCHECK_RUNS=20` runs it that often, each
    time from another seed, until it fails, which a correct backend must not."""
    session.install("-e", f".[cli,{ALL_STORES},conformance]", *group("tests"))
    command = ["pytest", "-n", "2", "tests/conformance", "--conformance-profile=default"]
    for _ in range(int(os.environ.get("COATCHECK_RUNS", "1"))):
        session.run(*command, *session.posargs, env={"COATCHECK_OWN_SERVERS": "1"})


@nox.session
def mutants(session: nox.Session) -> None:
    """The public suite against every broken backend and manager of the zoo: the checks of the
    laws that each declares to break. `COATCHECK_MUTANTS=all` runs the whole suite against each,
    for half an hour."""
    session.install("-e", f".[cli,{ALL_STORES},conformance]", *group("tests"))
    session.run("pytest", "-n", "2", "tests/mutants", *session.posargs)


@nox.session
def mutation(session: nox.Session) -> None:
    """Mutation testing: a sample of the core. `-- credentials expiry flows` tries every mutant of
    these, which takes half an hour; `tests/mutation/mutation.toml` has the other targets."""
    session.install("-e", f".[cli,{ALL_STORES},conformance]", *group("tests", "mutation"))
    short = ("credentials", "expiry", "flows", "--sample", "12")
    session.run("python", "tests/mutation/mutate.py", *(session.posargs or short))


@nox.session
def authors(session: nox.Session) -> None:
    """What the author of a backend gets: the plugin, the template, and the example for Redis,
    whose server must be installed (Debian: the package redis-server)."""
    session.install(
        "-e", f".[cli,{ALL_STORES},conformance]", "-e", "examples/coatcheck-redis[tests]"
    )
    session.install(*group("tests", "lint"), "mypy")
    session.run("pytest", "-n", "2", "tests/authors", "tests/cli/authors", *session.posargs)
    session.run("pytest", "examples/coatcheck-redis", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Servers killed, frozen, cut off and deposed under load, and those who start them tested.
    `COATCHECK_FAULTS=50` has each fault happen that often, and takes accordingly; the default
    is short."""
    session.install("-e", f".[{ALL_STORES},conformance]", *group("tests"))
    session.run("pytest", "-s", "tests/faults", "tests/servers", *session.posargs)


@nox.session
def pooler(session: nox.Session) -> None:
    """PostgreSQL behind PgBouncer, which must be installed (Debian: the package pgbouncer)."""
    session.install("-e", f".[{ALL_STORES},conformance]", *group("tests"))
    session.run("pytest", "tests/pooler", *session.posargs)


@nox.session
def browser(session: nox.Session) -> None:
    """The demo in Chromium, which must be installed (Debian: the package chromium).
    `COATCHECK_PICTURES=1` takes the documentation's pictures anew."""
    session.install("-e", f".[cli,{ALL_STORES},{ALL_WEB},conformance]", *group("tests", "browser"))
    session.run("pytest", "tests/browser", *session.posargs)


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
    session.install(
        "-e", f".[cli,{ALL_STORES},{ALL_WEB},conformance]", *group("tests", "types", "bench")
    )
    session.run("mypy")
    session.run("pyright", "--pythonpath", f"{session.bin}/python")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation, without a warning, into docs/_build."""
    session.install("-e", f".[cli,{ALL_STORES},{ALL_WEB},conformance]", *group("docs"))
    session.run("sphinx-build", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html")


@nox.session
def demo(session: nox.Session) -> None:
    """A web service on an SQLite file, or on the store that COATCHECK_URL names, driven over
    HTTP. `-- --once` stops it at the end."""
    session.install("-e", f".[cli,{ALL_STORES}]", *group("demo"))
    session.run("python", "examples/demo/drive.py", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Every figure of docs/performance.md, against the raw drivers and the peers in one run.

    `-- sqlite`, `postgresql`, `mongodb`, `peers` or `web` chooses; `-- --quick` is a short form.
    """
    session.install("-e", ".[asyncpg,fastapi,mongodb,postgresql]", *group("bench", "peers"))
    session.run("python", "benchmarks/bench.py", *session.posargs)


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
