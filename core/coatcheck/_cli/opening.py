"""From the settings to a manager, as every command opens it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .._contract.info import Capability
from .._managers.sync import SessionManager
from .._values import Session
from .output import complain

PAGE = 1000


def open_store(*, prepare: bool = False, plugins: Iterable[object] = ()) -> SessionManager:
    """The manager that the settings describe.

    :param prepare: make the schema. Only `coatcheck prepare` does, whatever the settings
        say, so that no other command needs the right to, and a mistyped URL makes no store.
    """
    sessions = SessionManager.from_env(prepare=prepare, plugins=plugins)
    backend = sessions._core.backend
    if Capability.SHARED not in backend.capabilities:
        complain(
            f"warning: the store {backend.name!r} belongs to one process; what is in it "
            "ends with this command"
        )
    return sessions


def pages(sessions: SessionManager, filters: dict[str, Any]) -> Iterator[list[Session]]:
    """All sessions that match, page by page; `after` among the filters is where to start."""
    arguments = dict(filters)
    while page := sessions.find(**arguments, limit=PAGE):
        yield page
        if len(page) < PAGE:
            return
        arguments["after"] = page[-1].id
