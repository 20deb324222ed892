"""The hooks of a backend, checked before anything stands in front of them."""

from __future__ import annotations

import asyncio
from typing import Final

from coatcheck import AsyncSessionManager, Secret

PEPPER: Final = "nobody is ever let in under this one"


def refuse_what_does_not_fit(backend: object) -> None:
    """Raise `ConfigError`, as a manager does at its start, if a hook is missing, misspelt or not
    marked, takes other arguments, or waits where it must not.

    The suite's own managers would not see it: what they are given is a relay, whose hooks are
    as they should be.
    """
    # Made, which is when the core checks the hooks, and never started: it asks the store nothing.
    # This one takes a backend of either kind.
    AsyncSessionManager(backend, pepper=PEPPER)


def refuse_what_cannot_be_opened(url: Secret[str]) -> None:
    """Raise `ConfigError`, as a manager does at its start, if the URL leads to no backend, or to
    a module or an object whose hooks do not fit."""
    asyncio.run(AsyncSessionManager.open(url, pepper=PEPPER).close())
