"""The only place that reads a clock.

``now`` is wall time: float seconds on a monotonic clock, passed into every state machine. Media time is integer
milliseconds counted from samples and is never read from a clock.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where the shell gets its time from."""

    def now(self) -> float:
        """Monotonic seconds."""
        ...

    def utc(self) -> datetime:
        """The date and time of day, UTC."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> float:
        return time.monotonic()

    def utc(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251  # the one place


class FakeClock:
    """A clock that moves only when told to, for tests and for replay at full speed."""

    def __init__(self, now: float = 0.0, utc: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = now
        self._origin = now
        self._utc = utc

    def now(self) -> float:
        return self._now

    def utc(self) -> datetime:
        return datetime.fromtimestamp(self._utc.timestamp() + self._now - self._origin, UTC)

    def advance(self, seconds: float) -> None:
        """Move forward; a clock never goes back."""
        if seconds < 0:
            raise ValueError("a clock never goes back")
        self._now += seconds
