"""Two calls in every order in which their steps can meet.

Behind either manager stands the same flow of questions to the store. Here an asynchronous one
asks them, of a backend of either kind, and halts before each until it is let on.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any, Final, NamedTuple

from coatcheck import AsyncSessionManager, Record, Rejection, Session, SessionRef, Where

from ..clock import SECOND, START
from ..frame.expecting import Broken, equal, holds
from ..frame.explaining import explain
from ..frame.gates import Gated, Steps, answered, orders
from ..frame.registry import check_of
from ..frame.stage import PEPPERS, Stage
from ..frame.story import Names
from ..frame.trying import Counterexample
from ..histories import Kind, Operation
from ..relay import relay_over

PATIENCE: Final = timedelta(seconds=60)
"""As the deadline: what is tried here is the order of steps, not how long they take."""
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
BULK: Final = {"update all": "update_where", "revoke all": "delete_where", "purge": "purge"}
"""Calls for which a backend can have a hook that the core otherwise does without."""
USES: Final = ("validate", "validate later")


class Call(Steps):
    """One of the two, which tells the scene of its steps."""

    def __init__(self, scene: Scene, name: str, shortened: bool) -> None:
        super().__init__(partial(self._begun, scene))
        self.scene, self.name, self.act, self.shortened = scene, name, ACTS[name], shortened
        self.told = self._tell
        self.called = 0
        self.asked: tuple[str, tuple[Any, ...], Any] = ("", (), None)

    async def witnessed(self) -> None:
        """One step, and what it did to the row: a touch and a rewrite have nobody else to
        answer for them."""
        scene = self.scene
        before, self.asked = scene.row, ("", (), None)
        await self.step()
        scene.row = await scene.look()
        try:
            if self.asked[0] == "touch":
                _judge_touch(scene, before, *self.asked[1:])
            elif self.asked[0] == "replace_key_hash":
                _judge_rewrite(scene, before, *self.asked[1:])
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
            seen = bool(answer) if self.act.kind != "validate" else _scopes(answer)
            operation = scene.operation(self.act.kind, self.act.value, seen, self.called)
            scene.history.append(operation)
        return answer

    def _tell(self, hook: str, args: tuple[Any, ...], answer: Any) -> None:
        self.asked = hook, args, answer
        shown = answer.id if isinstance(answer, SessionRef) else answer
        self.scene.lines.append(f"{self.name}: {hook} -> {self.scene.names.of(shown)}")


def _judge_touch(scene: Scene, before: Record | None, args: tuple[Any, ...], answer: Any) -> None:
    changed = _changed(before, scene.row) - {"last_used_at"}
    is_live = before is not None and before.state(args[1]) == "live"
    if bool(answer) is not is_live:
        words = "a touch says whether the session is there and live"
        raise Broken(words, expected=is_live, actual=answer, law=9 if before and answer else 4)
    if before is None or scene.row is None:
        return
    issued = scene.issued.session
    if changed == {"expires_at"} and Session(scene.row).expires_at == issued.expires_at:
        raise Broken("a touch does not put back `expires_at`", law=9)
    if changed == {"inactivity_timeout"}:
        raise Broken("a touch does not put back the timeout", law=9)
    equal(changed, set[str](), "a touch changes nothing but `last_used_at`", law=4)
    if scene.row.last_used_at < before.last_used_at:
        raise Broken("a touch never moves `last_used_at` back", expected=before.last_used_at,
                     actual=scene.row.last_used_at, law=4)  # fmt: skip


def _judge_rewrite(scene: Scene, before: Record | None, args: tuple[Any, ...], answer: Any) -> None:
    is_old = before is not None and before.key_hash == args[1]
    changed = _changed(before, scene.row)
    equal(
        changed - {"key_hash", "pepper_id"}, set[str](), "a rewrite changes the hash alone", law=8
    )
    words = "a rewrite is done while the hash is still the old one, and says whether it was"
    equal(bool(answer), is_old, words, law=10)
    equal(bool(changed), is_old, words, law=10)


def _changed(before: Record | None, after: Record | None) -> set[str]:
    """The fields that differ."""
    if before is None and after is not None:
        raise Broken("nothing but `issue` creates a session", law=9)
    if before is None or after is None:
        return set()
    return {name for name in Record._fields if getattr(before, name) != getattr(after, name)}


def _scopes(session: Any) -> str | None:
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


def judge(scene: Scene, calls: list[Call]) -> None:
    """Laws 4, 5, 6, 8, 9, 10 and 14, after whatever order it was."""
    for fault in scene.faults:
        raise fault
    for call in calls:
        if call.error is not None:
            words = f"`{call.name}` has an answer, whatever the other call did"
            raise Broken(words, actual=call.error, law=call.act.law) from call.error
    done = {call.name: call.answer for call in calls}
    stored = Session(scene.row) if scene.row is not None else None
    scene.lines.append(f"the store then holds {scene.names.of(stored)}")
    _judge_existence(scene, done, stored is not None)
    reading = scene.operation("validate", None, _scopes(stored), next(scene.ticks))
    explain([*scene.history, reading], [reading])
    if stored is not None:
        _judge_fields(scene, done, stored)
        _judge_use(scene, done, stored)


def _judge_existence(scene: Scene, done: dict[str, Any], is_there: bool) -> None:
    revoked = any(ACTS[name].kind == "revoke" and answer for name, answer in done.items())
    if revoked and is_there:
        raise Broken("what was revoked does not return", law=9)
    if not revoked and not is_there:
        law = 14 if "purge" in done else 5 if any("revoke" in name for name in done) else 8
        raise Broken("a session goes only if a call says that it revoked it", law=law)
    others = len(scene.stage.look("find", Where(user_id="other"), None, 10))
    wanted = int("issue another" in done)
    words = "there are just the sessions that were issued"
    equal(others, wanted, words, law=9 if others > wanted else 14 if "purge" in done else 7)


def _judge_fields(scene: Scene, done: dict[str, Any], stored: Session) -> None:
    written = [{"new": 1}] if done.get("update metadata") else []
    written += [{"all": 1}] if done.get("update all") else []
    metadata = dict(stored.metadata)
    if metadata not in (written or [{"old": 1}]):
        raise Broken("no change of a field is lost", expected=written or [{"old": 1}],
                     actual=metadata, law=8)  # fmt: skip
    end = START + (62 if done.get("shorten") else 1000) * SECOND
    equal(stored.expires_at, end, "a change of `expires_at` holds", law=9)
    timeout = 60 if done.get("shorten timeout") else 100
    equal(stored.inactivity_timeout, timeout * SECOND, "a change of the timeout holds", law=9)


def _judge_use(scene: Scene, done: dict[str, Any], stored: Session) -> None:
    uses = [done[name] for name in USES if done.get(name)]
    latest = max([scene.issued.session, *uses], key=lambda session: session.last_used_at)
    equal(stored.last_used_at, latest.last_used_at, "the latest use counts", law=4)
    if uses:
        first = scene.stage.pepper_id_of(PEPPERS[0])
        equal(stored.pepper_id, first, "a use moves the hash to the first pepper", law=10)
    scene.clock.set(START + NOW * SECOND)
    sessions = scene.stage.manager(fallback_peppers=(PEPPERS[1],))
    answer = sessions.validate(scene.issued.token, touch=False)
    holds(answer, "the token is as good as before", law=10)


def _pairs(stage: Stage) -> Iterator[tuple[AsyncSessionManager, tuple[str, str]]]:
    """Any two calls; those on many sessions also as the core composes them."""
    names = [name for name in ACTS if stage.scans or name != "purge"]
    pairs = list(itertools.combinations(names, 2))
    own = _manager(stage, required_only=False)
    yield from ((own, pair) for pair in pairs)
    hooked = {name for name, hook in BULK.items() if stage.has(hook)}
    if hooked:
        composed = _manager(stage, required_only=True)
        yield from ((composed, pair) for pair in pairs if hooked & set(pair))


def _manager(stage: Stage, *, required_only: bool) -> AsyncSessionManager:
    def make() -> AsyncSessionManager:
        relay = relay_over(Gated(stage.backend), required_only=required_only)
        manager = AsyncSessionManager(
            relay, pepper=PEPPERS[0], fallback_peppers=(PEPPERS[1],), clock=stage.clock,
            deadline=PATIENCE,
        )  # fmt: skip
        stage.wait(manager.start())
        # Not before the stage's own: with the manager its backend is closed.
        stage.at_close(lambda: stage.wait(manager.close()))
        return manager

    manager: AsyncSessionManager = stage.remembered(("gated", required_only), make)
    return manager


def _tried(
    stage: Stage, sessions: AsyncSessionManager, pair: tuple[str, str], choose: Callable[[], int]
) -> tuple[Scene, Exception | None]:
    """The pair in one order, and what was wrong with it."""
    scene = Scene(stage, sessions)
    try:
        judge(scene, stage.wait(play(scene, pair, choose)))
    except Exception as error:  # noqa: BLE001 - told by whoever asked
        return scene, error
    return scene, None


def _counterexample(
    stage: Stage, sessions: AsyncSessionManager, pair: tuple[str, str], scene: Scene, why: Exception
) -> Counterexample:
    """With the law that the order breaks; with none if the calls fail one after the other, too:
    then the checks of the laws themselves say which it is."""
    drawn = {"calls": " and ".join(pair)}
    if isinstance(why, Broken):
        in_turn = (_tried(stage, sessions, pair, first)[1] for first in (lambda: 0, lambda: 1))
        if any(in_turn):
            why.law = None
            drawn["order"] = "any, even one call after the other"
    return Counterexample(why, drawn, scene.lines)


@check_of("interleavings", shares=False)
def two_calls_keep_the_laws_in_every_order_of_their_steps(stage: Stage) -> None:
    for sessions, pair in _pairs(stage):

        def run(
            choose: Callable[[], int],
            sessions: AsyncSessionManager = sessions,
            pair: tuple[str, str] = pair,
        ) -> None:
            scene, why = _tried(stage, sessions, pair, choose)
            if why is not None:
                raise _counterexample(stage, sessions, pair, scene, why) from why

        for _ in orders(run, most=stage.profile.orders, dice=random.Random(f"{stage.seed} {pair}")):
            stage.examples += 1
