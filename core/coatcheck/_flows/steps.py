"""The steps that a flow may yield, and what it knows while it runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

from .._contract.info import Capability
from .._errors import Unsupported

if TYPE_CHECKING:
    from .._contract.plugging import Backend, Observers
    from .._options import Config

logger = logging.getLogger("coatcheck")

T = TypeVar("T")


class Time(Enum):
    """How much of the deadline a step may take."""

    CALL = "what is left of the call's"
    TENTH = "a tenth, since the call can do without it"
    PAGE = "a whole new one, for a page of a bulk call"


class Ask:
    """Ask the backend: one hook, by name. The answer is what the hook returned."""

    __slots__ = ("args", "hook", "time")

    def __init__(self, hook: str, args: tuple[Any, ...] = (), time: Time = Time.CALL) -> None:
        self.hook = hook
        self.args = args
        self.time = time


class Work(NamedTuple):
    """Compute something that takes milliseconds, off the event loop."""

    function: Callable[..., Any]
    args: tuple[Any, ...]


class Consult(NamedTuple):
    """Ask the observers of `session_issuing`; the first exception ends the flow."""

    args: tuple[Any, ...]


class Tell(NamedTuple):
    """Tell the observers of an event, one by one; what they raise is logged."""

    event: str
    args: tuple[Any, ...]


Step: TypeAlias = Ask | Work | Consult | Tell
Flow: TypeAlias = Generator[Step, Any, T]


@dataclass(frozen=True, slots=True)
class Core:
    """What the flows of one manager stand on."""

    config: Config
    backend: Backend
    observers: Observers
    in_transaction: bool = False
    unknown_peppers: set[str] = field(default_factory=set[str])
    """Ids that were logged, so that each is logged once."""

    def require(self, capability: Capability, call: str) -> None:
        """Raise `Unsupported` unless the backend declares the capability."""
        if capability not in self.backend.capabilities:
            raise Unsupported(
                f"{call} needs the capability {capability.value!r}, "
                f"which the backend {self.backend.name!r} does not have"
            )

    def inside_transaction(self) -> Core:
        """The same, for calls inside a caller's transaction."""
        return replace(self, in_transaction=True)
