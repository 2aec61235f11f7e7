"""How hard recognition is pressed, what calls then do without, and whether one more call would fit. Time is passed in.

``Meter`` measures, ``Ladder`` decides how many of ``LOAD_STAGES`` are given up, ``Admission`` who may still come in.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import msgspec

from copilot.config import LoadSettings
from copilot.engines.pool import BatchDone
from copilot.events import LOAD_STAGES, LoadStage

TOP: Final = len(LOAD_STAGES)
LATE: Final = (1.0, 1.25, 1.75, 2.5, 5.0)
"""How late finals must be for each stage, as multiples of ``late_ms``: text first, recognition itself last."""
CALM: Final = 0.5
"""Finals within this part of ``late_ms`` are calm."""
BUSY, NOT_BUSY = 0.92, 0.80
"""Workers that have hardly a moment for anything but finals are strained before a final is late. That alone takes
interim text only."""
BUSY_TOP: Final = 2
MOST_PATIENCE_S: Final = 300.0
RECENT_S: Final = 4.0
ENOUGH_FINALS: Final = 3
"""One slow final is an accident; of three or more, a quarter being late is a state."""
SPAN_S: Final = 60.0
ENOUGH_CALL_S: Final = 30.0
"""Seconds of calls that must have been measured before what a call costs is known."""
NEEDED: Final = ("final", "speculative")
USUAL_CALL_S: Final = 180.0
LONGEST_RETRY_S: Final = 60


class Strain(msgspec.Struct, frozen=True, kw_only=True):
    """``lag_ms``: how late finals are; ``busy``: the share (0..1) of the workers' time that finals take."""

    lag_ms: int = 0
    busy: float = 0.0


class Ladder:
    """How many of ``LOAD_STAGES`` are given up: one more after lasting strain, one less after a quiet time.

    What was given back and is missed again soon is given back more slowly the next time, so that it never flaps.
    """

    def __init__(self, settings: LoadSettings) -> None:
        self._settings = settings
        self._strained_since: float | None = None
        self._calm_since: float | None = None
        self._patience_s = settings.calm_s
        self._fell_at = -math.inf
        self.stage = 0

    def observe(self, strain: Strain, now: float) -> int:
        """Take a measurement; the stage, 0 (nothing is given up) to ``TOP``."""
        if self._is_strained(strain):
            self._calm_since = None
            self._strained_since = now if self._strained_since is None else self._strained_since
            if now - self._strained_since >= self._settings.sustained_s:
                self._climb(now)
        elif self.stage and self._is_calm(strain):
            self._strained_since = None
            self._calm_since = now if self._calm_since is None else self._calm_since
            if now - self._calm_since >= self._patience_s:
                self._fall(now)
        else:
            self._strained_since = self._calm_since = None
        return self.stage

    def _is_strained(self, strain: Strain) -> bool:
        if self.stage == TOP:
            return False
        is_late = strain.lag_ms >= self._settings.late_ms * LATE[self.stage]
        return is_late or (strain.busy >= BUSY and self.stage < BUSY_TOP)

    def _is_calm(self, strain: Strain) -> bool:
        return strain.lag_ms <= self._settings.late_ms * CALM and strain.busy <= NOT_BUSY

    def _climb(self, now: float) -> None:
        if now - self._fell_at < 2 * self._patience_s:
            self._patience_s = min(2 * self._patience_s, MOST_PATIENCE_S)
        elif self.stage == 0:
            self._patience_s = self._settings.calm_s
        self._fell_at = -math.inf
        self.stage += 1
        self._strained_since = now

    def _fall(self, now: float) -> None:
        self.stage -= 1
        self._calm_since = self._fell_at = now


class Meter:
    """What the recogniser's ``workers`` did lately. Fed with every batch, and regularly with the number of calls."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._finals: deque[tuple[float, int]] = deque()
        self._work: deque[tuple[float, float]] = deque()
        self._calls: deque[tuple[float, float]] = deque()
        self._counted_at: float | None = None

    def took(self, batch: BatchDone, now: float) -> None:
        """A batch is done. Only what finals take counts: everything else is done in the time that is left."""
        needed = [wait for kind, wait in zip(batch.kinds, batch.waits_ms, strict=True) if kind in NEEDED]
        if needed:
            self._work.append((now, batch.decode_ms / 1000 * len(needed) / len(batch.kinds)))
            self._finals.extend((now, wait + batch.decode_ms) for wait in needed)

    def count(self, calls: int, now: float) -> None:
        """So many calls were on since the last time."""
        if self._counted_at is not None:
            self._calls.append((now, calls * (now - self._counted_at)))
        self._counted_at = now
        for series, span in ((self._finals, RECENT_S), (self._work, SPAN_S), (self._calls, SPAN_S)):
            while series and series[0][0] < now - span:
                series.popleft()

    def strain(self, oldest_wait_ms: int, now: float) -> Strain:
        """How late finals are, those that came lately or the one that waits longest."""
        came = sorted(late for at, late in self._finals if at >= now - RECENT_S)
        lag_ms = came[len(came) * 3 // 4] if len(came) >= ENOUGH_FINALS else 0
        worked = sum(seconds for at, seconds in self._work if at >= now - RECENT_S)
        return Strain(lag_ms=max(oldest_wait_ms, lag_ms), busy=min(1.0, worked / (RECENT_S * self._workers)))

    @property
    def cost(self) -> float | None:
        """Seconds a worker spends on finals per second of one call; None while too little was measured."""
        call_s = sum(seconds for _, seconds in self._calls)
        return sum(seconds for _, seconds in self._work) / call_s if call_s >= ENOUGH_CALL_S else None


class Admission:
    """Whether a further call may come in, and when to ask again if not. ``limit`` is the most that ever may."""

    def __init__(self, settings: LoadSettings, *, workers: int, limit: int) -> None:
        self._settings = settings
        self._workers = workers
        self._usual_s = USUAL_CALL_S
        self.limit = limit

    def refusal(self, calls: int, stage: int, cost: float | None) -> str:
        """Why one more than ``calls`` would be too many: ``limit``, ``late``, ``busy``; empty when it may come."""
        if calls >= self.limit:
            return "limit"
        if stage >= self._settings.refuse_at:
            return "late"
        if cost is not None and cost * (calls + 1) > self._workers * self._settings.busy_share:
            return "busy" if calls else ""  # a machine too slow for a single call still takes one at a time
        return ""

    def ended(self, duration_s: float) -> None:
        """A call of this node is over: how long calls usually are."""
        self._usual_s += (duration_s - self._usual_s) / 16

    def retry_after_s(self, calls: int) -> int:
        """Whole seconds until one of ``calls`` is expected to end: calls end independently of each other."""
        return max(1, min(LONGEST_RETRY_S, math.ceil(self._usual_s / max(1, calls))))


def stages_for(stage: int, *, watched: bool) -> tuple[LoadStage, ...]:
    """What one call does without at a stage of the ladder. When somebody watches it, interims go a stage later."""
    given_up = LOAD_STAGES[:stage]
    return LOAD_STAGES[:1] if watched and stage == BUSY_TOP else given_up
