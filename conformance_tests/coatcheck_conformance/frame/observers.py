"""An observer that takes down everything it is told."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from coatcheck import Rejection, Session, SessionRef, hookimpl


class Recorder:
    """All event hooks but `session_issuing`, as comparable facts."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    @hookimpl
    def session_issued(self, session: Session) -> None:
        self.told.append(("issued", session.id))

    @hookimpl
    def session_rejected(self, rejection: Rejection) -> None:
        self.told.append(("rejected", rejection.session_id, str(rejection.reason)))

    @hookimpl
    def session_updated(self, session: Session, changed: frozenset[str]) -> None:
        self.told.append(("updated", session.id, session.scopes, changed))

    @hookimpl
    def sessions_updated(self, count: int, changed: frozenset[str]) -> None:
        self.told.append(("all updated", count, changed))

    @hookimpl
    def sessions_revoked(self, sessions: list[SessionRef]) -> None:
        ids: list[UUID] = sorted(session.id for session in sessions)
        self.told.append(("revoked", tuple(ids)))

    @hookimpl
    def sessions_purged(self, count: int) -> None:
        self.told.append(("purged", count))


class Asking:
    """Learns under which pepper a manager writes, and lets it issue nothing."""

    pepper_id = ""

    @hookimpl
    def session_issuing(self, session: Session) -> None:
        self.pepper_id = session.pepper_id
        raise PermissionError("nobody was to be let in")
