"""Writes that are told of one by one, each after the manager has acknowledged it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Step = tuple[str, int]


def write(sessions: Any, steps: list[Step]) -> Iterator[str]:
    """Do every step; gives the token of an `issue`, and the name of any other call."""
    ids: list[Any] = []
    for step, number in steps:
        scopes = {f"scope-{number}"}
        chosen = ids[number % len(ids)] if ids else None
        if step == "issue":
            issued = sessions.issue("user", method="password", scopes=scopes)
            ids.append(issued.session.id)
            yield issued.token
            continue
        if chosen is not None and step == "update":
            sessions.update(chosen, scopes=scopes)
        elif chosen is not None:
            sessions.revoke(chosen)
        yield step


def after(steps: list[Step]) -> list[str | None]:
    """The scope of each session that these steps issue; `None` for one that was revoked."""
    scopes: list[str | None] = []
    for step, number in steps:
        place = number % len(scopes) if scopes else 0
        if step == "issue":
            scopes.append(f"scope-{number}")
        elif scopes and step == "update":
            scopes[place] = scopes[place] and f"scope-{number}"
        elif scopes:
            scopes[place] = None
    return scopes
