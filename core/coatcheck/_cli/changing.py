"""The commands that change sessions or end them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from .._contract.hookspec import hookimpl
from .._errors import InvalidInput
from .._managers.sync import SessionManager
from . import arguments, output
from .codes import Code
from .confirming import confirmed, confirmed_all, require_terminal
from .opening import open_store
from .reading import answer_session
from .text import plural, state_of


def update(
    session_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="The session to change.")
    ] = None,
    *,
    user: arguments.User = None,
    method: arguments.Method = None,
    pepper_id: arguments.PepperId = None,
    everyone: arguments.Everyone = False,
    scope: arguments.Scopes = None,
    no_scopes: Annotated[bool, typer.Option("--no-scopes", help="Take all scopes away.")] = False,
    metadata: arguments.Metadata = None,
    expires_at: arguments.ExpiresAt = None,
    inactivity_timeout: arguments.InactivityTimeout = None,
    yes: arguments.Yes = False,
    as_json: arguments.AsJson = False,
) -> Code:
    """Change a live session, or all live ones that match; the next request sees it.

    Names either one session by its id, or several by --user, --method and
    --pepper-id. Each field given is replaced, never merged: the scopes given are
    all that remain. Exit code 1 if the one session is absent or ended.

    With --json: `{"session": {…}}` (null if there is none), or `{"updated": 3}`.
    """
    named = arguments.fields(metadata, expires_at, inactivity_timeout)
    if scope and no_scopes:
        raise InvalidInput("--scope and --no-scopes exclude each other")
    if scope or no_scopes:
        named["scopes"] = scope or ()
    if not named:
        raise InvalidInput(
            "update needs a field: --scope, --no-scopes, --metadata, --expires-at or "
            "--inactivity-timeout"
        )
    filters = arguments.given(user_id=user, method=method, pepper_id=pepper_id)
    if session_id is not None:
        if filters or everyone:
            raise InvalidInput("update takes either an ID, or filters")
        wanted = arguments.session_id(session_id)
        with open_store() as sessions:
            return answer_session(sessions.update(wanted, **named), as_json=as_json)
    _require_filters("update", filters, everyone)
    ask = user is None and not yes
    if ask:
        require_terminal()
    with open_store() as sessions:
        if ask and not confirmed_all(sessions, "changes", filters | {"live": True}):
            return Code.NO
        number = sessions.update_all(**filters, **named, everyone=everyone)
    if as_json:
        output.answer_json({"updated": number})
    else:
        output.answer(f"{plural(number, 'session')} changed")
    return Code.YES


def revoke(
    session_ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Sessions to end.")],
    *,
    yes: arguments.Yes = False,
    as_json: arguments.AsJson = False,
) -> Code:
    """Sign sessions out by their ids. Exit code 1 if none of them was there.

    With --json: `{"revoked": ["…"], "absent": ["…"]}`.
    """
    wanted = arguments.session_ids(session_ids)
    with open_store() as sessions:
        if len(wanted) > 1 and not yes:
            found = [session for one in wanted if (session := sessions.get(one)) is not None]
            users = {session.user_id for session in found}
            if len(users) > 1:
                require_terminal()
                if not confirmed("revokes", len(found), len(users)):
                    return Code.NO
        revoked = [one for one in wanted if sessions.revoke(one)]
    absent = [str(one) for one in wanted if one not in revoked]
    if as_json:
        output.answer_json({"revoked": [str(one) for one in revoked], "absent": absent})
    else:
        for one in revoked:
            output.answer(f"revoked {one}")
        for missing in absent:
            output.complain(f"no such session: {missing}")
    return Code.YES if revoked else Code.NO


def revoke_all(
    *,
    user: arguments.User = None,
    method: arguments.Method = None,
    scope: arguments.Scope = None,
    pepper_id: arguments.PepperId = None,
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", metavar="ID", help="Spare this session; once for each."),
    ] = None,
    everyone: arguments.Everyone = False,
    yes: arguments.Yes = False,
    as_json: arguments.AsJson = False,
) -> Code:
    """Sign out every session that matches all filters given, in any state.

    With --json: `{"revoked": [{"id": "…", "user_id": "…", "method": "…"}, …]}`.
    """
    filters = arguments.given(user_id=user, method=method, scope=scope, pepper_id=pepper_id)
    _require_filters("revoke-all", filters, everyone)
    spared = arguments.session_ids(keep)
    ask = user is None and not yes
    if ask:
        require_terminal()
    with open_store() as sessions:
        if ask and not confirmed_all(sessions, "revokes", filters, keep=frozenset(spared)):
            return Code.NO
        revoked = sessions.revoke_all(**filters, keep=spared, everyone=everyone)
    if as_json:
        documents = [
            {"id": str(ref.id), "user_id": ref.user_id, "method": ref.method} for ref in revoked
        ]
        output.answer_json({"revoked": documents})
    else:
        users = len({ref.user_id for ref in revoked})
        output.answer(f"{plural(len(revoked), 'session')} of {plural(users, 'user')} revoked")
    return Code.YES


class End(StrEnum):
    """The two ways in which a session ends by itself."""

    EXPIRED = "expired"
    INACTIVE = "inactive"


def purge(
    *,
    only: Annotated[
        End | None, typer.Option("--only", help="Remove those that ended in this way alone.")
    ] = None,
    batch_size: Annotated[
        int, typer.Option("--batch-size", metavar="N", help="How many go at a time.")
    ] = 1000,
    yes: arguments.Yes = False,
    as_json: arguments.AsJson = False,
) -> Code:
    """Remove sessions that have ended, never a live one. Safe to run twice at once.

    With --json: `{"purged": 3}`.
    """
    if not yes:
        require_terminal()
    watch = _Purged()
    with open_store(plugins=[watch]) as sessions:
        if not yes and not _purge_confirmed(sessions, only):
            return Code.NO
        with output.progress("Purging", lambda: sessions.count(live=False)) as watch.advance:
            number = sessions.purge(
                expired=only is not End.INACTIVE,
                inactive=only is not End.EXPIRED,
                batch_size=batch_size,
            )
    if as_json:
        output.answer_json({"purged": number})
    else:
        output.answer(f"{plural(number, 'session')} purged")
    return Code.YES


def _purge_confirmed(sessions: SessionManager, only: End | None) -> bool:
    now = datetime.now(UTC)
    return confirmed_all(
        sessions,
        "removes",
        {"live": False},
        concerned=None if only is None else lambda session: state_of(session, now) == only,
    )


class _Purged:
    """Observes a purge, so that its bar moves with every batch."""

    def __init__(self) -> None:
        self.advance: Callable[[int], None] = lambda _: None

    @hookimpl
    def sessions_purged(self, count: int) -> None:
        """A batch is gone."""
        self.advance(count)


def _require_filters(command: str, filters: dict[str, Any], everyone: bool) -> None:
    """As the core does, but before anybody is asked to confirm."""
    if everyone and filters:
        raise InvalidInput(f"{command}: --everyone takes no filter")
    if not everyone and not filters:
        raise InvalidInput(f"{command} needs a filter such as --user, or --everyone")
