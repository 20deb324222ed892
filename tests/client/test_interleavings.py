"""Requests, sign-ins and sign-outs in every order that threads and processes could take.

What becomes of a request is a generator of steps, so an order is tried without a thread: any of
several requests may take its next step at any time.
"""

from __future__ import annotations

from typing import Any

import httpx2
from hypothesis import given, settings
from hypothesis import strategies as st

from coatcheck import Secret
from coatcheck.client import MemoryTokenStore
from coatcheck.client._holding import Holding
from coatcheck.client._origin import read_origin
from coatcheck.client._steps import Ask, Send, Tell, steps_of
from web_origins import INVALID

ORIGIN = "https://api.example"
REQUESTS = 4
MOVES = st.one_of(
    st.tuples(st.just("step"), st.integers(0, REQUESTS - 1)),
    st.tuples(st.sampled_from(["sign in", "sign out", "revoke", "elsewhere in", "elsewhere out"])),
)


class TellingHolding(Holding):
    """Notes for which token somebody may tell."""

    def __init__(self, store: MemoryTokenStore) -> None:
        super().__init__(store)
        self.told: list[str] = []

    def claim(self, token: Secret[str]) -> bool:
        is_mine = super().claim(token)
        if is_mine:
            self.told.append(token.reveal())
        return is_mine


class World:
    """A server, a store that processes share, and requests under way."""

    def __init__(self) -> None:
        self.store = MemoryTokenStore()
        self.holding = TellingHolding(self.store)
        self.good: set[str] = set()
        self.issued = 0
        self.tells = 0
        self.under_way: list[tuple[Any, Any] | None] = [None] * REQUESTS

    def kept(self) -> str | None:
        token = self.store.load()
        return None if token is None else token.reveal()

    def make(self, name: str) -> None:
        if name.endswith("in"):
            self.issued += 1
            token = f"t{self.issued}"
            self.good.add(token)
            (self.holding if name == "sign in" else self.store).save(Secret(token))
        elif name == "sign out":
            self.holding.drop()
        elif name == "revoke":
            self.good.discard(f"t{self.issued}")
        elif (token := self.store.load()) is not None:
            self.store.forget(token)

    def step(self, n: int) -> bool:
        """One step of a request, which begins if it is not under way. `False` at its end."""
        steps, answer = self.under_way[n] or (self.begin(), None)
        try:
            step = steps.send(answer)
        except StopIteration:
            self.under_way[n] = None
            return False
        before = self.kept()
        answer = None
        if isinstance(step, Send):
            answer = self.answer(step.request)
        elif isinstance(step, Ask):
            answer = step.call()
        self.tells += isinstance(step, Tell)
        assert self.kept() in {before, None}
        assert before == self.kept() or before not in self.good, "a good token was forgotten"
        self.under_way[n] = steps, answer
        return True

    def begin(self) -> Any:
        return steps_of(httpx2.Request("GET", ORIGIN), read_origin(ORIGIN), self.holding)

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        is_good = token in self.good
        headers = {} if is_good else {"WWW-Authenticate": INVALID if token else "Bearer"}
        return httpx2.Response(200 if is_good else 401, headers=headers, request=request)


@settings(max_examples=500, deadline=None)
@given(st.lists(MOVES, max_size=60))
def test_in_any_order_a_good_token_stays_and_each_end_is_told_once(moves: list[Any]) -> None:
    world = World()
    for name, *numbers in moves:
        if name == "step":
            world.step(*numbers)
        else:
            world.make(name)
    for n in range(REQUESTS):
        while world.step(n):
            pass
    assert len(world.holding.told) == len(set(world.holding.told)) == world.tells
    # Whatever came before, the end of the next session is found and told.
    world.make("sign in")
    last = world.kept()
    world.make("revoke")
    while world.step(0):
        pass
    assert world.kept() is None
    assert world.holding.told[-1] == last
    assert world.tells == len(set(world.holding.told))
