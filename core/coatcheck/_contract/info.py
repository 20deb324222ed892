"""What a backend says of itself."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

SPEC_VERSION = 1
"""The version of this contract. A backend written for another one is refused at start."""


class Capability(StrEnum):
    """What a store can do. Without `transactions` or `scan` the calls that need them raise
    `Unsupported`; the others are declarations that say how far the laws reach."""

    TRANSACTIONS = "transactions"
    """`within` works: the hook `bound` is there."""
    SHARED = "shared"
    """Several processes may use the store, and the laws hold between them."""
    DURABLE = "durable"
    """What was acknowledged survives a crash of process and store."""
    LINEARIZABLE = "linearizable"
    """A read that starts after a write returned sees it, whatever fails."""
    SCAN = "scan"
    """find, count and bulk calls work without a `user_id`."""


class BackendInfo(NamedTuple):
    """The answer of the hook `info`.

    :param name: for messages, such as `"sqlite"`; never a URL.
    :param spec_version: `coatcheck.SPEC_VERSION` as the author knew it.
    :param capabilities: of `Capability`; their plain names do as well.
    :param inline: names of hooks that never wait long and may run on the event loop's thread.
    :param asynchronous: every hook but `info` and `bound` is a coroutine function.
    """

    name: str
    spec_version: int
    capabilities: Iterable[str] = frozenset()
    inline: Iterable[str] = frozenset()
    asynchronous: bool = False
