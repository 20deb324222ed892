"""Calls of several managers, each played to the model as well, and what is compared."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from ..clock import rounded
from ..model import Facts, Model, differences, facts_of
from .expecting import Broken, equal, holds
from .people import Population, everything
from .spelling import spell, unspell
from .stage import PEPPERS, Stage

MINUTE: Final = timedelta(minutes=1)
OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "first": {"fallback_peppers": (PEPPERS[1],), "touch_interval": timedelta(seconds=1)},
    "patient": {"fallback_peppers": (PEPPERS[2], PEPPERS[1])},
    "rotated": {"pepper": PEPPERS[1], "fallback_peppers": (PEPPERS[2], PEPPERS[0])},
    "older": {"pepper": PEPPERS[1], "touch_interval": timedelta(milliseconds=250)},
    "foreign": {"pepper": PEPPERS[3]},
}
"""Managers side by side: with other intervals, other peppers, or the same ones in another
order. `elsewhere` is one more, on a backend of its own."""
MANAGERS: Final = (*OPTIONS, "elsewhere")
REFUSALS: Final = {
    "unknown": 5, "wrong_secret": 11, "unknown_pepper": 10, "malformed": 12,
    "expired": 2, "inactive": 2,
}  # fmt: skip
"""By reason, the law that an acceptance would break."""
WRONG_REFUSALS: Final = {**REFUSALS, "unknown": 1, "wrong_secret": 10}
"""By reason, the law that a refusal breaks where there is none."""


class Desk(NamedTuple):
    """A manager, and what the model must know of it."""

    manager: Any
    pepper_id: str
    known: frozenset[str]
    touch_interval: timedelta


@dataclass
class Blame:
    """Which law is broken if the store is not as it should be after a call.

    :param ids: the sessions that the call may change.
    :param fields: for those it may change, by name.
    :param rest: for the other fields of these sessions.
    :param others: for any other session that was changed or removed.
    :param left: for one that should have gone.
    """

    ids: Collection[UUID] = ()
    fields: dict[str, int] = field(default_factory=dict[str, int])
    rest: int = 7
    others: int = 7
    left: int = 9


class Play:
    """A history on one stage. Each call is made, answered by the model, and compared."""

    def __init__(self, stage: Stage) -> None:
        stage.clear()
        self.stage = stage
        self.model = Model(touch_interval=MINUTE)
        self.tokens: dict[UUID, str] = {}
        self.people = Population(stage, self.model, self.tokens)
        self.desks = stage.remembered(Play, lambda: desks_of(stage))
        stage.story.begin()
        self.blame = Blame()

    @property
    def now(self) -> datetime:
        """What every manager takes for now."""
        return self.stage.clock()

    def chosen(self, place: int) -> UUID:
        """One of the sessions that were ever issued, those first that are there."""
        there = self.model.sessions
        ids = [*there, *(session_id for session_id in self.tokens if session_id not in there)]
        return ids[place % len(ids)]

    def set_clock(self, instant: datetime) -> None:
        """Let it be this instant, later or earlier."""
        self.blame = Blame(others=15)
        self.stage.clock.set(instant)
        self.stage.story.tell("clock.set", (instant,), {}, None)

    def issue(self, desk: str, user: str, method: str, **fields: Any) -> None:
        """A session as it was asked for, and as it is stored."""
        issued = self.desks[desk].manager.issue(user, method=method, **fields)
        facts = facts_of(issued.session)
        self.model.issue(facts)
        self.tokens[facts.id] = issued.token
        self.blame = Blame({facts.id}, rest=1)
        asked = (user, method, frozenset(fields.get("scopes", ())))
        equal((facts.user_id, facts.method, facts.scopes), asked, "what was asked for", law=1)
        equal(facts.pepper_id, self.desks[desk].pepper_id, "the first pepper writes", law=10)

    def validate(self, desk: str, place: int, *, touch: bool, spelling: str = "right") -> None:
        """A token, as it was issued or with one thing wrong."""
        chosen = self.chosen(place)
        at = self.desks[desk]
        expected = self._verdict(at, chosen, touch, spelling)
        answer = at.manager.validate(_spelt(self.tokens[chosen], spelling), touch=touch)
        if isinstance(expected, str):
            law = REFUSALS[expected]
            # What has ended stays so, and of what is refused nothing is written.
            self.blame = Blame({chosen}, rest={2: 9, 5: 9}.get(law, law))
            holds(not answer, f"it is refused: {expected}", law=law)
            named = None if expected == "malformed" else chosen
            equal(
                (answer.reason, answer.session_id), (expected, named), "why it is refused", law=law
            )
        else:
            fields = {"last_used_at": 3, "pepper_id": 10} if touch else {}
            self.blame = Blame({chosen}, fields, rest=4 if touch else 3)
            if not answer:
                raise Broken("it is accepted", expected=expected, actual=answer,
                             law=WRONG_REFUSALS[answer.reason])  # fmt: skip
            self._same(answer, expected)

    def validate_everywhere(self, place: int) -> None:
        """The right token, at every desk in turn."""
        for desk in MANAGERS:
            self.validate(desk, place, touch=False)

    def _verdict(self, at: Desk, chosen: UUID, touch: bool, spelling: str) -> Any:
        if spelling == "malformed":
            return "malformed"
        facts = self.model.sessions.get(chosen)
        if spelling == "wrong secret" and facts is not None:
            return "wrong_secret" if facts.pepper_id in at.known else "unknown_pepper"
        return self.model.validate(
            chosen, self.now, touch=touch,
            pepper_id=at.pepper_id, known=at.known, touch_interval=at.touch_interval,
        )  # fmt: skip

    def get(self, desk: str, place: int) -> None:
        """One session in whatever state."""
        chosen = self.chosen(place)
        self.blame = Blame()
        answer = self.desks[desk].manager.get(chosen)
        expected = self.model.sessions.get(chosen)
        if answer is None or expected is None:
            words = "it is there" if expected else "it is gone"
            equal(answer, expected, words, law=1 if expected else 5)
        else:
            self._same(answer, expected)

    def update(self, desk: str, place: int, fields: Mapping[str, Any]) -> None:
        """The named fields of one, while it is live."""
        chosen = self.chosen(place)
        self.blame = Blame({chosen}, _written(fields), rest=8)
        boundary = self._is_boundary(chosen)
        answer = self.desks[desk].manager.update(chosen, **fields)
        expected = self.model.update(chosen, self.now, **fields)
        if answer is None or expected is None:
            words = "it is changed" if expected else "it has ended, or is gone"
            equal(answer, expected, words, law=2 if expected or boundary else 9)
        else:
            self._same(answer, expected)

    def update_all(self, desk: str, filters: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
        """The named fields of all live ones that match."""
        matching = [facts.id for facts in self.model.matching(self.now, **filters)]
        at_boundary = any(map(self._is_boundary, matching))
        self.blame = Blame(matching, _written(fields), rest=8)
        wanted = filters or {"everyone": True}
        number = self.desks[desk].manager.update_all(**wanted, **fields)
        expected = self.model.update_all(self.now, filters, **fields)
        revives = expected < number <= len(matching)
        law = (2 if at_boundary else 9) if revives else 7
        equal(number, expected, "how many live ones match", law=law)

    def revoke(self, desk: str, place: int) -> None:
        """One session, whatever its state."""
        chosen = self.chosen(place)
        self.blame = Blame(left=5)
        answer = self.desks[desk].manager.revoke(chosen)
        expected = self.model.revoke(chosen)
        if answer is not expected:
            raise Broken("true once", expected=expected, actual=answer, law=5)

    def revoke_all(self, desk: str, filters: Mapping[str, Any], kept: Collection[int]) -> None:
        """All that match, but those to keep."""
        keep = {self.chosen(place) for place in kept} if self.tokens else set[UUID]()
        self.blame = Blame(left=7)
        refs = self.desks[desk].manager.revoke_all(keep=keep, **(filters or {"everyone": True}))
        expected = self.model.revoke_all(self.now, filters, keep)
        came: list[tuple[Any, ...]] = [(ref.id, ref.user_id, ref.method) for ref in refs]
        equal(sorted(came), sorted(expected), "what matches and is not kept", law=7)

    def purge(self, desk: str, batch_size: int, **only: bool) -> None:
        """What has ended, in batches."""
        self.blame = Blame(others=14, left=14)
        number = self.desks[desk].manager.purge(batch_size=batch_size, **only)
        equal(number, self.model.purge(self.now, **only), "how many had ended so", law=14)

    def find(self, desk: str, filters: Mapping[str, Any], size: int) -> None:
        """All that match, in pages of this size; and their number."""
        self.blame = Blame()
        expected = self.model.matching(self.now, **filters)
        manager, found, after = self.desks[desk].manager, list[Any](), None
        while page := manager.find(limit=size, after=after, **filters):
            holds(len(page) <= size, "no page is larger than asked", law=13)
            found += page
            after = page[-1].id
            holds(len(found) <= len(self.tokens), "a walk comes to its end", law=13)
        ids, wanted = [session.id for session in found], [facts.id for facts in expected]
        wrong = set(ids) ^ set(wanted)
        at_boundary = "live" in filters and any(map(self._is_boundary, wrong))
        law = 2 if at_boundary else 7
        equal(set(ids), set(wanted), "those that match", law=law)
        equal(ids, wanted, "in the order of ids, each once", law=13)
        for session, facts in zip(found, expected, strict=True):
            self._same(session, facts)
        equal(manager.count(**filters), len(expected), "how many match", law=7)

    def status(self, desk: str) -> None:
        """How many sessions there are under each pepper."""
        self.blame = Blame()
        answer = self.desks[desk].manager.pepper_status()
        numbers: dict[str, int] = {e.pepper_id: e.sessions for e in answer if e.sessions}
        expected: dict[str, int] = {}
        for facts in self.model.sessions.values():
            expected[facts.pepper_id] = expected.get(facts.pepper_id, 0) + 1
        equal(numbers, expected, "the sessions under each pepper", law=10)

    def compare(self) -> None:
        """The store holds what the model holds."""
        stored, expected = everything(self.stage), self.model.sessions
        for session_id in expected.keys() - stored.keys():
            law = self.blame.rest if session_id in self.blame.ids else self.blame.others
            raise Broken("it is still there", expected=expected[session_id], actual=None, law=law)
        for session_id in stored.keys() - expected.keys():
            raise Broken("it is gone", expected=None, actual=stored[session_id],
                         law=self.blame.left)  # fmt: skip
        for session_id, facts in stored.items():
            for name, (actual, wanted) in differences(facts, expected[session_id]).items():
                law = self._law_of(session_id, name)
                equal(actual, wanted, f"{name}, as it is stored", law=law)

    def _law_of(self, session_id: UUID, name: str) -> int:
        if session_id not in self.blame.ids:
            return self.blame.others
        return self.blame.fields.get(name, self.blame.rest)

    def _is_boundary(self, session_id: UUID) -> bool:
        """Whether it ends in this very millisecond."""
        facts = self.model.sessions.get(session_id)
        return facts is not None and facts.valid_until == rounded(self.now)

    @staticmethod
    def _same(session: Any, expected: Facts) -> None:
        laws = {"scopes": 6, "last_used_at": 3, "pepper_id": 10}
        for name, (actual, wanted) in differences(facts_of(session), expected).items():
            equal(actual, wanted, f"{name}, as it is shown", law=laws.get(name, 1))


def desks_of(stage: Stage) -> dict[str, Desk]:
    """Every manager of a history, opened once for a stage."""
    options = {**OPTIONS, "elsewhere": dict[str, Any]()}
    managers = {name: stage.manager(**chosen) for name, chosen in OPTIONS.items()}
    managers["elsewhere"] = stage.elsewhere
    return {name: _desk(stage, name, managers[name], options[name]) for name in options}


def _desk(stage: Stage, name: str, manager: Any, options: Mapping[str, Any]) -> Desk:
    first = options.get("pepper", PEPPERS[0])
    known = [stage.pepper_id_of(each) for each in (first, *options.get("fallback_peppers", ()))]
    interval = options.get("touch_interval", MINUTE)
    return Desk(manager.named(name), known[0], frozenset(known), interval)


def _written(fields: Mapping[str, Any]) -> dict[str, int]:
    return {name: 6 if name == "scopes" else 1 for name in fields}


def _spelt(token: str, spelling: str) -> str:
    if spelling == "malformed":
        return token[:-1]
    session_id, secret = unspell(token)
    return spell(session_id, secret[::-1]) if spelling == "wrong secret" else token
