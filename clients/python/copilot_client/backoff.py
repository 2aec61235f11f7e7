"""How long to wait before trying again."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Backoff:
    """Doubling waits with jitter. ``give_up_after_s`` without a connection is the end."""

    first_s: float = 0.5
    cap_s: float = 8.0
    give_up_after_s: float = 60.0

    def delay_s(self, attempt: int, random: Random) -> float:
        """The wait before attempt 0, 1, 2 ...: between half and all of ``first_s`` doubled ``attempt`` times."""
        return min(self.cap_s, self.first_s * 2.0 ** min(attempt, 32)) * random.uniform(0.5, 1.0)
