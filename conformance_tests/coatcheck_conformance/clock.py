"""A clock that moves when it is told to, so that no test sleeps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)
SECOND: Final = timedelta(seconds=1)
LONG: Final = timedelta(days=365)
START: Final = datetime(2030, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)


class Clock:
    """For the option `clock` of a manager. Aware, in UTC, and of microsecond precision."""

    def __init__(self, start: datetime = START) -> None:
        self.start = start
        self.instant = start

    def __call__(self) -> datetime:
        return self.instant

    def move(self, span: timedelta) -> None:
        """Let time pass; a negative span sets the clock back."""
        self.instant += span

    def set(self, instant: datetime) -> None:
        """Go to an instant, later or earlier."""
        self.instant = instant

    def reset(self) -> None:
        """Back to where it started."""
        self.instant = self.start

    @property
    def milliseconds(self) -> int:
        """Now as a backend sees it: milliseconds since the epoch, rounded down."""
        return milliseconds_of(self.instant)


def milliseconds_of(instant: datetime) -> int:
    """Milliseconds since the epoch, rounded down."""
    return (instant - EPOCH) // MILLISECOND


def rounded(instant: datetime) -> datetime:
    """An instant as coatcheck keeps it: UTC, rounded down to the millisecond."""
    return EPOCH + milliseconds_of(instant) * MILLISECOND
