"""Instants and spans as integers of milliseconds, the only form that a backend sees."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import time_ns

from ._errors import ConfigError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)

Milliseconds = int


def instant_to_ms(instant: datetime) -> Milliseconds:
    """Milliseconds since the epoch, rounded down. `instant` must be aware."""
    return (instant - EPOCH) // MILLISECOND


def ms_to_instant(milliseconds: Milliseconds) -> datetime:
    """An aware datetime in UTC. Raises `OverflowError` beyond the years 1 to 9999."""
    return EPOCH + timedelta(milliseconds=milliseconds)


def span_to_ms(span: timedelta) -> Milliseconds:
    """Whole milliseconds of a span, rounded down."""
    return span // MILLISECOND


def system_clock() -> Milliseconds:
    """Now, in milliseconds since the epoch, from the system's clock."""
    return time_ns() // 1_000_000


def clock_in_ms(clock: Callable[[], datetime]) -> Callable[[], Milliseconds]:
    """A user's clock, read as milliseconds. Raises `ConfigError` when it gives a naive datetime."""

    def now() -> Milliseconds:
        instant = clock()
        if not isinstance(instant, datetime) or instant.utcoffset() is None:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigError("clock must return an aware datetime, such as datetime.now(UTC)")
        return instant_to_ms(instant)

    return now
