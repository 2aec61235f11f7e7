"""How many commands one connection may send: a token bucket. Time is passed in, seconds."""

from __future__ import annotations


class Bucket:
    """Takes ``burst`` at once and ``per_s`` a second from then on."""

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s = per_s
        self._burst = burst
        self._tokens = float(burst)
        self._at = 0.0

    def take(self, now: float) -> float:
        """0.0 when there was room for one more; else the seconds until there is."""
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._per_s)
        self._at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._per_s
