"""Which wall moment belongs to which media moment: the one place where the two clocks meet."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque

KEEP = 6_000
"""Arrivals remembered: five minutes of 50 ms frames."""


class Arrivals:
    """Remembers when each stretch of media time arrived, to turn media positions into wall moments."""

    def __init__(self) -> None:
        self._ends_ms: deque[int] = deque(maxlen=KEEP)
        self._nows: deque[float] = deque(maxlen=KEEP)

    def add(self, position_ms: int, now: float) -> None:
        """Everything up to ``position_ms`` has arrived by ``now``."""
        if self._ends_ms and position_ms <= self._ends_ms[-1]:
            return
        self._ends_ms.append(position_ms)
        self._nows.append(now)

    def wall(self, at_ms: int, now: float) -> float:
        """When the sample at media time ``at_ms`` arrived: seconds since the call started.

        A moment still to come counts as ``now``; one too old to remember counts as the oldest known.
        """
        index = bisect_left(self._ends_ms, at_ms)
        return self._nows[index] if index < len(self._nows) else now

    def lag_ms(self, at_ms: int, now: float) -> int:
        """How long ago the sample at media time ``at_ms`` arrived."""
        return max(0, round((now - self.wall(at_ms, now)) * 1000))
