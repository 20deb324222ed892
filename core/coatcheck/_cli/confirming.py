"""The question before anything that touches more than one user."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from typing import Any
from uuid import UUID

import typer

from .._errors import InvalidInput
from .._managers.sync import SessionManager
from .._values import Session
from .opening import pages
from .output import complain, progress
from .text import plural


def require_terminal() -> None:
    """Refuse, before anything is opened, when there is nobody to ask."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise InvalidInput(
            "this touches more than one user, and there is no terminal to confirm it on; "
            "give --yes to do it all the same"
        )


def confirmed_all(
    sessions: SessionManager,
    verb: str,
    filters: dict[str, Any],
    *,
    keep: Collection[UUID] = (),
    concerned: Callable[[Session], bool] | None = None,
) -> bool:
    """Say how many sessions and users the filters match, and ask.

    :param concerned: what the call would spare by something that is no filter of `find`.
    """
    number, users = 0, set[str]()
    with progress("Counting", lambda: sessions.count(**filters)) as advance:
        for page in pages(sessions, filters):
            for session in page:
                if session.id not in keep and (concerned is None or concerned(session)):
                    number += 1
                    users.add(session.user_id)
            advance(len(page))
    return confirmed(verb, number, len(users))


def confirmed(verb: str, sessions: int, users: int) -> bool:
    """Ask on the terminal; only `y` or `yes` is one."""
    question = f"This {verb} {plural(sessions, 'session')} of {plural(users, 'user')}."
    # Not `typer.confirm`: it writes a blank to standard output, and so into the JSON.
    typer.echo(f"{question} Go on? [y/N] ", nl=False, err=True)
    if sys.stdin.readline().strip().lower() in {"y", "yes"}:
        return True
    complain("not confirmed; nothing was changed")
    return False
