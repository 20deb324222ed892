"""A manager is forked, or its callers give up, while everybody is at work; on both stores."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from children import Child
from coatcheck import AsyncSessionManager
from doors import mongodb_doors, postgresql_doors
from loads import Door, Load, often
from sqlite_files import twenty_operations

DEADLINE = 5.0
CHILDREN = 4


@pytest.fixture(params=["PostgreSQL", "MongoDB"])
def store(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def doors(store: str, request: pytest.FixtureRequest) -> Callable[..., list[Door]]:
    """Makes the doors of a store, each with a small pool."""
    if store == "PostgreSQL":
        url = request.getfixturevalue("url")
        return lambda **more: postgresql_doors(url, DEADLINE, pool_size="4", **more)
    url = request.getfixturevalue("members_url")
    return lambda **more: mongodb_doors(url, DEADLINE, maxPoolSize="4", **more)


def test_children_of_a_warm_manager_under_load(store: str, doors: Any) -> None:
    """Each child works with what it inherited; the parent does not notice."""
    times, done = often(2), 0
    with Load(doors(), deadline=DEADLINE) as load:
        load.works(0.3)
        for _ in range(times):
            guests = list(load.house.guests)
            children = [
                Child(lambda door=door, guests=guests: work_of_child(door, guests))
                for door in load.doors
                for _ in range(CHILDREN // 2)
            ]
            for child in children:
                done += child.answer()
            load.works(0.1)
        load.recovers(5)
    load.check(linearizable=True)
    assert not load.failures
    load.tell(
        f"{store}, {times * len(load.doors) * CHILDREN // 2} forks, in which {done} calls succeeded"
    )


def work_of_child(door: Door, guests: list[Any]) -> int:
    """Twenty operations, and everybody's token: each is its own user's, or nobody's."""
    if not isinstance(door.manager, AsyncSessionManager):
        for guest in guests:
            answer = door.manager.validate(guest.token, touch=False)
            assert not answer or answer.id == guest.id
        twenty_operations(door.manager)
        return 20 + len(guests)

    async def asynchronous() -> int:
        for guest in guests:
            answer = await door.manager.validate(guest.token, touch=False)
            assert not answer or answer.id == guest.id
        for n in range(5):
            issued = await door.manager.issue(f"child {n}", method="password")
            assert await door.manager.validate(issued.token)
            assert await door.manager.update(issued.session.id, scopes={"read"})
            assert await door.manager.revoke(issued.session.id)
        await door.manager.close()
        return 20 + len(guests)

    asyncio._set_running_loop(None)  # that of the parent is not the child's to run
    return asyncio.run(asynchronous())


def test_callers_who_give_up(store: str, doors: Any) -> None:
    """A third of the asynchronous calls is cancelled within their first milliseconds; the small
    pools are whole afterwards."""
    with Load(doors(cancelling=0.33, clients=6), deadline=DEADLINE, pace=0.01) as load:
        load.works(4.0 if often(1) == 1 else 30.0)
        for door in load.doors:
            door.cancelling = 0.0
        load.recovers(5)
    load.check(linearizable=True)
    assert load.failures["Cancelled"] > 50
    assert set(load.failures) == {"Cancelled"}
    load.tell(f"{store}, callers who give up")
