"""The time that is left of a call, as a backend may ask for it."""

from __future__ import annotations

from contextvars import ContextVar
from time import monotonic

DEFAULT_DEADLINE = 5.0

INLINE = float("-inf")
"""As a deadline: the hook runs on the event loop, where no wait at all is allowed."""

call_deadline: ContextVar[float | None] = ContextVar("coatcheck_deadline", default=None)
"""The `time.monotonic()` at which the running call must end. Each driver sets it around hooks."""


def remaining() -> float:
    """Seconds that are left of the running call, for a backend's own timeouts.

    0.0 when the time is up, and when the hook was called inline on an event loop,
    where it must answer at once or raise `WouldBlock`. Outside of a manager's call
    it is the default deadline, 5.0.
    """
    deadline = call_deadline.get()
    if deadline is None:
        return DEFAULT_DEADLINE
    left = deadline - monotonic()
    return max(0.0, left)
