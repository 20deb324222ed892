"""`coatcheck conformance URL`: the suite on a backend that is installed."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from coatcheck import InvalidInput

from .by_url import URLHarness
from .frame.registry import every_check
from .harness import Face
from .laws import LAWS
from .profiles import PROFILES, QUICK
from .report import Outcome, told
from .running import run

VARIABLE = "COATCHECK_URL"

URL = Annotated[
    str | None,
    typer.Argument(metavar="URL", help="The store to try.", envvar=VARIABLE),
]
PROFILE = Annotated[str, typer.Option("--profile", help=f"How much to try: {', '.join(PROFILES)}.")]
LAW = Annotated[
    list[int] | None,
    typer.Option("--law", help="Only this law, by its number; 0 for what is of no law alone."),
]
CHECK = Annotated[list[str] | None, typer.Option("--check", help="Only this check, by its name.")]
FACE = Annotated[Face | None, typer.Option("--face", help="Only under this manager.")]
SEED = Annotated[
    int | None, typer.Option("--seed", help="From which everything is drawn; else at random.")
]
AS_JSON = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]
ERASE = Annotated[
    bool, typer.Option("--erase", help="Erase the sessions that the store holds already.")
]


def conformance(
    url: URL = None,
    *,
    profile: PROFILE = QUICK.name,
    law: LAW = None,
    check: CHECK = None,
    face: FACE = None,
    seed: SEED = None,
    as_json: AS_JSON = False,
    erase: ERASE = False,
) -> int:
    """Try every law on a store of its own, through both managers.

    The store must hold no session: what the suite puts there it erases. The exit code
    is 0 if no law was found broken, and 1 if one was. What a URL alone cannot show is
    listed with the reason; a harness in your own tests can show more.

    With --json: `{"ok": …, "broken": [numbers], "laws": [rows], "outcomes": [checks]}`.
    """
    if url is None:
        raise InvalidInput(f"URL is missing: give it as the argument, or in {VARIABLE}")
    _refuse_unknown(profile, law, check)
    with closing(URLHarness(url)) as harness:
        if not (erase or harness.is_empty()):
            raise InvalidInput(
                "URL names a store that holds sessions, and the suite erases what it finds; "
                "name an empty one, or add --erase"
            )
        faces = tuple(Face) if face is None else (face,)
        shown = _progress(quiet=as_json, laws=law, checks=check, faces=len(faces))
        with _unlogged(), shown as advance:

            def heard(outcome: Outcome) -> None:
                advance()
                if outcome.failure is not None and not as_json:
                    lines = told(outcome, _again(url, profile, outcome))
                    typer.echo("\n".join([*map(_visible, lines), ""]))

            report = run(
                harness, profile=PROFILES[profile], laws=law, checks=check, faces=faces,
                seed=seed, heard=heard,
            )  # fmt: skip
        harness.reset()
    typer.echo(report.to_json() if as_json else "\n".join(map(_visible, report.table())))
    return 0 if report.ok else 1


def _refuse_unknown(profile: str, laws: list[int] | None, checks: list[str] | None) -> None:
    if profile not in PROFILES:
        raise InvalidInput(f"--profile is one of {', '.join(PROFILES)}")
    if not set(laws or ()) <= {0, *LAWS}:
        raise InvalidInput(f"--law is a number from 1 to {len(LAWS)}, or 0")
    if not set(checks or ()) <= {check.name for check in every_check()}:
        raise InvalidInput("--check is the name of a check, with underscores, as a failure has it")


def _again(url: str, profile: str, outcome: Outcome) -> str:
    """The line that runs one check again. A URL that may hold a password is not repeated."""
    words = ["coatcheck", "conformance", f'"${VARIABLE}"' if "@" in url else shlex.quote(url)]
    words += ["--check", outcome.check, "--face", outcome.face]
    return " ".join([*words, "--seed", str(outcome.seed), "--profile", profile])


@contextmanager
def _unlogged() -> Generator[None]:
    """Checks bring about what coatcheck logs: nobody's concern here."""
    handlers = logging.getLogger().handlers
    levels = [handler.level for handler in handlers]
    for handler in handlers:
        handler.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for handler, level in zip(handlers, levels, strict=True):
            handler.setLevel(level)


@contextmanager
def _progress(
    *, quiet: bool, laws: list[int] | None, checks: list[str] | None, faces: int
) -> Generator[Callable[[], None]]:
    """A bar on standard error where that is a terminal; gives what moves it on."""
    if quiet or not sys.stderr.isatty():
        yield lambda: None
        return
    chosen = [
        each
        for each in every_check()
        if (laws is None or each.law in laws) and (checks is None or each.name in checks)
    ]
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("checks", total=len(chosen) * faces)
        yield lambda: bar.advance(task)


def _visible(line: str) -> str:
    """Without what a terminal would take for a command: histories hold any text."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in line)
