"""The commands that read, and `issue`: what an operator does most."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated, Any

import typer

from .._errors import InvalidInput
from .._secret import Secret
from .._values import Rejection, Session
from . import arguments, output
from .codes import Code
from .opening import open_store, pages
from .text import json_text, session_document

# More than any token has; what is longer is malformed however it goes on.
_LONGEST_INPUT = 4096
_PAGE_BY_DEFAULT = 100


def issue(
    user: Annotated[str, typer.Argument(metavar="USER", help="Whose session it is.")],
    *,
    method: Annotated[
        str, typer.Option("--method", metavar="METHOD", help="How the user signed in.")
    ],
    scope: arguments.Scopes = None,
    metadata: arguments.Metadata = None,
    lifetime: Annotated[
        str | None,
        typer.Option(
            "--lifetime",
            metavar="SPAN",
            help="The absolute end from now: ISO 8601 (P30D), seconds, or `none`.",
        ),
    ] = None,
    expires_at: arguments.ExpiresAt = None,
    inactivity_timeout: arguments.InactivityTimeout = None,
    as_json: arguments.AsJson = False,
) -> Code:
    """Sign a user in, and print the token: this once, and never again.

    The token stands alone on standard output; the session is described on
    standard error, if that is a terminal.

    With --json: `{"token": "…", "session": {…}}`.
    """
    named = arguments.fields(metadata, expires_at, inactivity_timeout)
    if lifetime is not None:
        named["lifetime"] = arguments.span("--lifetime", lifetime)
    with open_store() as sessions:
        issued = sessions.issue(user, method=method, scopes=scope or (), **named)
    if as_json:
        document = session_document(issued.session)
        output.answer_json({"token": issued.token, "session": document})
    else:
        if sys.stderr.isatty():
            output.show_session(issued.session, err=True)
        output.note("The token is shown this once; coatcheck keeps only a hash of it.")
        output.answer(issued.token)
    return Code.YES


def validate(
    *,
    misplaced: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    touch: Annotated[
        bool, typer.Option("--touch/--no-touch", help="Record this as a use of the session.")
    ] = True,
    as_json: arguments.AsJson = False,
) -> Code:
    """Say whose session a token names, or why it is refused (exit code 1).

    The token is read from standard input, or asked for without being shown; it is
    never an argument, because every user of the machine sees those.

    With --json: `{"valid": true, "session": {…}}`, or
    `{"valid": false, "reason": "expired", "session_id": "…"}`.
    """
    if misplaced:
        raise InvalidInput(
            "a token is never an argument, which `ps` shows to everybody, so this one should "
            "be revoked; give tokens on standard input"
        )
    token = _read_token()
    with open_store() as sessions:
        verdict = sessions.validate(token.reveal(), touch=touch)
    if isinstance(verdict, Rejection):
        named = None if verdict.session_id is None else str(verdict.session_id)
        if as_json:
            reason = verdict.reason.value
            output.answer_json({"valid": False, "reason": reason, "session_id": named})
        else:
            suffix = "" if named is None else f" (session {named})"
            output.answer(f"rejected: {verdict.reason.value}{suffix}")
        return Code.NO
    if as_json:
        output.answer_json({"valid": True, "session": session_document(verdict)})
    else:
        output.show_session(verdict)
    return Code.YES


def show(
    session_id: Annotated[str, typer.Argument(metavar="ID", help="The session's id.")],
    *,
    as_json: arguments.AsJson = False,
) -> Code:
    """Show a session, an ended one too until it is purged. Exit code 1 if there is none.

    With --json: `{"session": {…}}`, or `{"session": null}`.
    """
    wanted = arguments.session_id(session_id)
    with open_store() as sessions:
        session = sessions.get(wanted)
    return answer_session(session, as_json=as_json)


def answer_session(session: Session | None, *, as_json: bool) -> Code:
    """The session, or that there is none: the answer of `show` and of `update`."""
    if as_json:
        document = None if session is None else session_document(session)
        output.answer_json({"session": document})
    elif session is None:
        output.complain("no such session")
    else:
        output.show_session(session)
    return Code.NO if session is None else Code.YES


def list_sessions(
    *,
    user: arguments.User = None,
    method: arguments.Method = None,
    scope: arguments.Scope = None,
    live: arguments.Live = None,
    pepper_id: arguments.PepperId = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", metavar="N", help="At most 1,000.  [default: 100]"),
    ] = None,
    after: Annotated[
        str | None,
        typer.Option("--after", metavar="ID", help="Start behind this session."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every session that matches, page after page.")
    ] = False,
    as_json: arguments.AsJson = False,
) -> Code:
    """List the sessions that match every filter given, in the order of their ids.

    With --json: `{"sessions": [{…}, …], "next_after": "…"}`; give that back as
    --after for the next page. It is null at the end, and with --all.
    """
    if everything and limit is not None:
        raise InvalidInput("--all takes no --limit")
    filters = arguments.given(
        user_id=user, method=method, scope=scope, live=live, pepper_id=pepper_id
    )
    start = arguments.given(after=None if after is None else arguments.session_id(after))
    if everything:
        return _list_all(filters, start, as_json=as_json)
    size = _PAGE_BY_DEFAULT if limit is None else limit
    with open_store() as sessions:
        page = sessions.find(**(filters | start), limit=size)
    following = str(page[-1].id) if page and len(page) == size else None
    if as_json:
        documents = [session_document(session) for session in page]
        output.answer_json({"sessions": documents, "next_after": following})
    else:
        output.show_sessions(page)
        if following is not None:
            output.note(f"There may be more: --after {following}, or --all.")
    return Code.YES


def _list_all(filters: dict[str, Any], start: dict[str, Any], *, as_json: bool) -> Code:
    """Written while it is read, so that a million sessions need no memory."""
    separator = ""
    with (
        open_store() as sessions,
        output.progress(
            "Listing", lambda: sessions.count(**filters), quiet=sys.stdout.isatty()
        ) as advance,
    ):
        if as_json:
            typer.echo('{"sessions": [', nl=False)
        for page in pages(sessions, filters | start):
            if as_json:
                documents = (json_text(session_document(session)) for session in page)
                typer.echo(separator + ", ".join(documents), nl=False)
                separator = ", "
            else:
                output.show_sessions(page)
            advance(len(page))
        if as_json:
            typer.echo('], "next_after": null}')
    return Code.YES


def count(
    *,
    user: arguments.User = None,
    method: arguments.Method = None,
    scope: arguments.Scope = None,
    live: arguments.Live = None,
    pepper_id: arguments.PepperId = None,
    as_json: arguments.AsJson = False,
) -> Code:
    """Count the sessions that match every filter given.

    With --json: `{"count": 3}`.
    """
    filters = arguments.given(
        user_id=user, method=method, scope=scope, live=live, pepper_id=pepper_id
    )
    with open_store() as sessions:
        number = sessions.count(**filters)
    if as_json:
        output.answer_json({"count": number})
    else:
        output.answer(str(number))
    return Code.YES


def _read_token() -> Secret[str]:
    """One line of standard input, or of the terminal without showing it."""
    if sys.stdin.isatty():
        try:
            return Secret(getpass.getpass("Token: "))
        except (EOFError, UnicodeDecodeError):
            return Secret("")  # malformed, like anything else that is no token
    given = sys.stdin.buffer.read(_LONGEST_INPUT)
    # Of the line's end alone: whatever else surrounds a token makes it malformed.
    return Secret(given.decode(errors="replace").removesuffix("\n").removesuffix("\r"))
