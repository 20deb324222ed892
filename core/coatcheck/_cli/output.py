"""What is written where: answers to standard output, everything else to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from .text import duration, ending, json_text, moment, state_of, visible, without_tokens

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from .._values import Session

# Without a terminal there is no width to fit into, and lines are for grep.
_UNLIMITED = 100_000
_LEAST_WIDTH = 80


def answer(line: str) -> None:
    """A line of the answer, on standard output."""
    typer.echo(visible(line))


def answer_json(document: Any) -> None:
    """The answer for machines: one JSON document on one line of standard output."""
    typer.echo(json_text(document))


def note(line: str) -> None:
    """A remark for whoever watches; a script that keeps standard error is spared it."""
    if sys.stderr.isatty():
        typer.echo(visible(line), err=True)


def complain(line: str) -> None:
    """An error or a warning: one line on standard error, whatever is in it."""
    typer.echo(visible(f"coatcheck: {without_tokens(line)}"), err=True)


def show_session(session: Session, *, err: bool = False) -> None:
    """All fields of one session, one a line."""
    facts = {
        "id": str(session.id),
        "user": session.user_id,
        "method": session.method,
        "scopes": " ".join(sorted(session.scopes)) or "none",
        "state": state_of(session, datetime.now(UTC)),
        "valid until": moment(session.valid_until, "no end"),
        "created": moment(session.created_at, ""),
        "last used": moment(session.last_used_at, ""),
        "expires": moment(session.expires_at, "never"),
        "inactivity timeout": duration(session.inactivity_timeout) or "none",
        "metadata": json.dumps(dict(session.metadata), ensure_ascii=False),
        "pepper id": session.pepper_id,
    }
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    _print(table, facts.items(), err=err)


def show_sessions(sessions: Iterable[Session]) -> None:
    """A table with a row for each session."""
    now = datetime.now(UTC)
    rows = [
        (
            str(session.id),
            session.user_id,
            session.method,
            " ".join(sorted(session.scopes)),
            ending(session, now),
        )
        for session in sessions
    ]
    show_table(("id", "user", "method", "scopes", "ends"), rows, unbroken=("id", "ends"))


def show_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, unbroken: Collection[str]
) -> None:
    """A table for people.

    :param unbroken: columns whose cells are kept on one line on a narrow terminal, too.
    """
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=column in unbroken, overflow="fold")
    _print(table, rows)


@contextmanager
def progress(
    label: str, total: Callable[[], int], *, quiet: bool = False
) -> Generator[Callable[[int], None]]:
    """A bar on standard error while the context is open; gives what moves it on.

    :param total: asked only if there is a terminal to show the bar on.
    :param quiet: show none, for example because the answer scrolls by on the terminal.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=_console(err=True), transient=True) as bar:
        task = bar.add_task(label, total=total())
        yield lambda count: bar.advance(task, count)


def _print(table: Table, rows: Iterable[Sequence[str]], *, err: bool = False) -> None:
    from rich.text import Text

    for row in rows:
        # `Text` takes its content as it is, where a str would be read as markup.
        table.add_row(*(Text(visible(cell)) for cell in row))
    _console(err=err).print(table)


def _console(*, err: bool) -> Console:
    from rich.console import Console

    console = Console(stderr=err, highlight=False, markup=False, emoji=False)
    # A table that is too wide would be cut; a terminal that is too narrow breaks lines.
    console.width = max(console.width, _LEAST_WIDTH) if console.is_terminal else _UNLIMITED
    return console
