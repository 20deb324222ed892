"""Two calls in every order in which their steps can meet.

Behind either manager stands the same flow of questions to the store. Here an asynchronous one
asks them, of a backend of either kind, and halts before each until it is let on.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final

from coatcheck import AsyncSessionManager, Session, Where

from ..clock import SECOND, START
from ..frame.expecting import Broken, equal, holds
from ..frame.explaining import explain
from ..frame.gates import Gated, orders
from ..frame.registry import check_of
from ..frame.scene import ACTS, NOW, Call, Scene, play, scopes_of
from ..frame.stage import PEPPERS, Stage
from ..frame.trying import Counterexample
from ..relay import relay_over

PATIENCE: Final = timedelta(seconds=60)
"""As the deadline: what is tried here is the order of steps, not how long they take."""
BULK: Final = {"update all": "update_where", "revoke all": "delete_where", "purge": "purge"}
"""Calls for which a backend can have a hook that the core otherwise does without."""
USES: Final = ("validate", "validate later")


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
    reading = scene.operation("validate", None, scopes_of(stored), next(scene.ticks))
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
    is_less = stored.last_used_at < latest.last_used_at
    words = "the latest use counts"
    equal(stored.last_used_at, latest.last_used_at, words, law=4 if is_less else None)
    if uses:
        equal(
            stored.pepper_id,
            scene.stage.pepper_id_of(PEPPERS[0]),
            "a use moves the hash to the first pepper",
            law=10,
        )
    scene.clock.set(START + NOW * SECOND)
    answer = _reader(scene.stage).validate(scene.issued.token, touch=False)
    holds(answer, "the token is as good as before", law=10)


def _reader(stage: Stage) -> Any:
    return stage.manager(fallback_peppers=(PEPPERS[1],))


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
    # Opened before there is anything that this could harm.
    _reader(stage)
    stage.pepper_id_of(PEPPERS[0])
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
