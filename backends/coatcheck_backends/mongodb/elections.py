"""Reads after an election.

A new primary has everything that the old ones acknowledged, but for a moment it does not know
that a majority has it: majority reads there answer as of before, with sessions that were
revoked and without some that were issued. A linearizable read waits for that moment to pass,
so each new primary is asked for one, once, before it is believed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from .steps import Call, Flow

T = TypeVar("T")


class Elections(Protocol):
    """What a client knows of them.

    :ivar believed: that of the last primary that was asked.
    """

    believed: object

    def latest(self) -> object:
        """That of the newest primary that the driver has heard of; `None` where there are none."""
        ...


def up_to_date(elections: Elections, read: Callable[[], Flow[T]]) -> Flow[T]:
    """A read that misses nothing acknowledged, made again if another primary came up meanwhile:
    the driver may have asked that one."""
    while True:
        election = elections.latest()
        if election != elections.believed:
            yield from _ask_first(elections, election)
        else:
            answer = yield from read()
            if elections.latest() == election:
                return answer


def after_asking(elections: Elections, flow: Flow[T]) -> Flow[T]:
    """Whatever looks for something to change, on a primary that is believed."""
    election = elections.latest()
    if election != elections.believed:
        yield from _ask_first(elections, election)
    return (yield from flow)


def _ask_first(elections: Elections, election: object) -> Flow[None]:
    yield Call("certain", "find_one", ({},))
    if elections.latest() == election:
        elections.believed = election
