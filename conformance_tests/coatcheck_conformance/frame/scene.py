"""Two calls on one session, taken step by step."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, NamedTuple

from coatcheck import AsyncSessionManager, Record, Rejection, SessionRef, Where

from ..clock import SECOND, START
from ..histories import Kind, Operation
from .expecting import Broken
from .gates import Steps, answered
from .stage import PEPPERS, Stage
from .story import Names
from .witness import judge_rewrite, judge_touch

NOW: Final = 50
"""Seconds after the issue."""


class Scene:
    """One session, issued under an older pepper a while ago, so that a validation has to load,
    touch and rewrite."""

    def __init__(self, stage: Stage, sessions: AsyncSessionManager) -> None:
        stage.clear()
        self.stage, self.sessions, self.clock = stage, sessions, stage.clock
        self.issued = stage.manager(pepper=PEPPERS[1]).issue(
            "user", method="password", scopes={"v0"}, metadata={"old": 1},
            lifetime=1000 * SECOND, inactivity_timeout=100 * SECOND,
        )  # fmt: skip
        self.id = self.issued.session.id
        self.ticks = itertools.count()
        self.history = [self.operation("issue", "v0", True, next(self.ticks))]
        self.lines: list[str] = stage.story.lines()
        self.row: Record | None = None
        self.faults: list[Broken] = []
        self.names = Names()
        self.names.learn(self.issued)

    def begin(self, name: str) -> Awaitable[Any]:
        """This call. Each reads the clock once, when it begins."""
        act = ACTS[name]
        self.clock.set(START + (NOW + act.seconds) * SECOND)
        subjects = {"validate": self.issued.token, "update": self.id, "revoke": self.id}
        args = [subjects[act.call]] if act.call in subjects else []
        words = [self.names.of(each) for each in args]
        words += [f"{option}={self.names.of(value)}" for option, value in act.options.items()]
        self.lines.append(f"{name}, {NOW + act.seconds} s after the issue: "
                          f"{act.call}({', '.join(words)})")  # fmt: skip
        awaitable: Awaitable[Any] = getattr(self.sessions, act.call)(*args, **act.options)
        return awaitable

    async def look(self) -> Record | None:
        """The row as it is now: as a filter finds it, since more than one cache is of loads."""
        found = await answered(self.stage.backend.find, Where(user_id="user"), None, 10)
        return next((record for record in found if record.id == self.id), None)

    def operation(self, kind: Kind, value: str | None, answer: Any, called: int) -> Operation:
        """One that ends now."""
        return Operation(self.id, kind, value, answer, called, next(self.ticks))


class Act(NamedTuple):
    """A call that two can make at once.

    :param call: of the manager, with these options.
    :param seconds: on the clock, after `NOW`.
    :param law: which is broken if it raises.
    :param kind: as what it goes into the history of the session, with `value`.
    """

    call: str
    seconds: int
    law: int
    options: dict[str, Any]
    kind: Kind | None = None
    value: str | None = None


ACTS: Final[dict[str, Act]] = {
    "validate": Act("validate", 0, 4, {}, "validate"),
    "validate later": Act("validate", 20, 4, {}, "validate"),
    "poll": Act("validate", 10, 4, {"touch": False}, "validate"),
    "update scopes": Act("update", 5, 8, {"scopes": {"v1"}}, "update", "v1"),
    "update scopes again": Act("update", 6, 8, {"scopes": {"v2"}}, "update", "v2"),
    "update metadata": Act("update", 5, 8, {"metadata": {"new": 1}}),
    "shorten": Act("update", 5, 8, {"expires_at": START + 62 * SECOND}),
    "shorten timeout": Act("update", 0, 8, {"inactivity_timeout": 60 * SECOND}),
    "update all": Act("update_all", 5, 8, {"user_id": "user", "metadata": {"all": 1}}),
    "revoke": Act("revoke", 0, 5, {}, "revoke"),
    "revoke again": Act("revoke", 1, 5, {}, "revoke"),
    "revoke all": Act("revoke_all", 0, 5, {"user_id": "user"}, "revoke"),
    "issue another": Act("issue", 0, 9, {"user_id": "other", "method": "x"}),
    "purge": Act("purge", 0, 14, {}),
}


NOTHING: Final[tuple[str, tuple[Any, ...], Any]] = ("", (), None)
"""Asked by a step that came to the end without a question."""


class Call(Steps):
    """One of the two, which tells the scene of its steps."""

    def __init__(self, scene: Scene, name: str, shortened: bool) -> None:
        super().__init__(partial(self._begun, scene))
        self.scene, self.name, self.act, self.shortened = scene, name, ACTS[name], shortened
        self.told = self._tell
        self.called = 0
        self.asked = NOTHING

    async def witnessed(self) -> None:
        """One step, and what it did to the row: a touch and a rewrite have nobody else to
        answer for them."""
        scene = self.scene
        before, self.asked = scene.row, NOTHING
        await self.step()
        scene.row = await scene.look()
        hook, args, answer = self.asked
        try:
            if hook == "touch":
                judge_touch(before, scene.row, scene.issued.session, args[1], answer)
            elif hook == "replace_key_hash":
                judge_rewrite(before, scene.row, args[1], answer)
        except Broken as fault:
            scene.faults.append(fault)

    async def _begun(self, scene: Scene) -> Any:
        self.called = next(scene.ticks)
        answer = await scene.begin(self.name)
        scene.lines.append(f"{self.name} gives {scene.names.of(answer)}")
        # An end is no state that the history knows. One that came between load and touch is
        # told as "unknown", since the touch says no more than that.
        is_end = isinstance(answer, Rejection) and self.shortened
        if self.act.kind is not None and not is_end:
            seen = bool(answer) if self.act.kind != "validate" else scopes_of(answer)
            operation = scene.operation(self.act.kind, self.act.value, seen, self.called)
            scene.history.append(operation)
        return answer

    def _tell(self, hook: str, args: tuple[Any, ...], answer: Any) -> None:
        self.asked = hook, args, answer
        shown = answer.id if isinstance(answer, SessionRef) else answer
        self.scene.lines.append(f"{self.name}: {hook} -> {self.scene.names.of(shown)}")


def scopes_of(session: Any) -> str | None:
    """The scopes as one value of a history; `None` of no session."""
    return " ".join(sorted(session.scopes)) if session else None


async def play(scene: Scene, names: tuple[str, str], choose: Callable[[], int]) -> list[Call]:
    """Two calls, step by step, in the order that `choose` says."""
    shortened = any(name.startswith("shorten") for name in names)
    scene.row = await scene.look()
    calls = [Call(scene, name, shortened) for name in names]
    while not any(call.over for call in calls):
        await calls[choose()].witnessed()
    for call in calls:
        while not call.over:
            await call.witnessed()
    return calls
