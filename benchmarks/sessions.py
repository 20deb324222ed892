"""The sessions that are measured on: made as `issue` makes them, and stored by nobody yet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast

from coatcheck import Record
from coatcheck._credentials.uuid7 import uuid7
from coatcheck._flows.issue import issue
from coatcheck._flows.steps import Core
from coatcheck._options import configure, seal_options
from coatcheck._times import system_clock
from coatcheck._unset import UNSET

OPTIONS: dict[str, Any] = {
    "pepper": "a pepper for benchmarks of thirty-two bytes and more",
    # Filling the store takes longer than the default, and no touch is to be due.
    "touch_interval": timedelta(hours=1),
}
METADATA = {"ip": "192.0.2.7", "device": "Firefox on Linux"}
SCOPES = frozenset({"read", "write"})
SESSIONS_PER_USER = 10
A_DAY_IN_MS = 24 * 3600 * 1000

_GIVEN = {
    "method": "password",
    "scopes": SCOPES,
    "metadata": METADATA,
    "expires_at": UNSET,
    "lifetime": UNSET,
    "inactivity_timeout": UNSET,
}


class Source:
    """Sessions under the pepper of `OPTIONS`."""

    def __init__(self) -> None:
        config = configure(seal_options(OPTIONS))
        # The flow is left before it asks a backend, so there need not be one.
        self._core = Core(config, cast(Any, None), defaultdict(tuple[Any, ...]))

    def issue(self, user: str) -> tuple[str, Record]:
        """A token and what a backend would be given to store."""
        flow = issue(self._core, system_clock(), user, _GIVEN)
        record = flow.send(None).args[0]
        try:
            flow.send(None)
        except StopIteration as done:
            return done.value.token, record
        raise AssertionError("a flow that goes on after the insert")

    def many(self, number: int) -> Iterator[tuple[str, Record]]:
        """So many, ten a user."""
        for n in range(number):
            yield self.issue(f"user-{n // SESSIONS_PER_USER}")

    def records(self, prefix: str, users: int, each: int = 1) -> list[Record]:
        """Records without a token, each user's with so many: what comes and goes."""
        _, model = self.issue(prefix)
        return [
            model._replace(id=uuid7(system_clock()), user_id=f"{prefix}-{n}")
            for n in range(users)
            for _ in range(each)
        ]

    def ended(self, number: int) -> list[Record]:
        """Records that expired a day ago."""
        past = system_clock() - A_DAY_IN_MS
        users = -(-number // SESSIONS_PER_USER)
        records = self.records("gone", users, SESSIONS_PER_USER)[:number]
        return [record._replace(expires_at=past) for record in records]
