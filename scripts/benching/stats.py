"""Arithmetic on measurements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def quantile(values: Sequence[float], q: float, digits: int = 3) -> float | None:
    return round(float(np.quantile(values, q)), digits) if len(values) else None


def slope(points: Sequence[tuple[float, float]]) -> float | None:
    """Least-squares slope of y over x; None with fewer than three points."""
    if len(points) < 3:
        return None
    x, y = np.array(points, float).T
    return float(np.polyfit(x - x.mean(), y, 1)[0])


def ratio(ours: float | None, theirs: float | None) -> float | None:
    """How many times ours theirs is."""
    return round(theirs / ours, 1) if ours and theirs is not None and ours > 0 else None


def spread_out(values: Sequence[float], prefix: str) -> dict[str, Any]:
    """p50, p95 and number of some seconds, under names that begin with ``prefix``."""
    return {
        f"{prefix}_p50_s": quantile(values, 0.5),
        f"{prefix}_p95_s": quantile(values, 0.95),
        f"{prefix}s": len(values),
    }


class Search:
    """The largest number that passes: doubling, then bisecting. Ask ``upcoming``, then ``tell`` how it went.

    Between the largest that passed and the smallest that failed at most ``resolution`` remain at the end.
    """

    def __init__(self, start: int, limit: int, resolution: int = 1) -> None:
        self.passed = 0
        self.failed: int | None = None
        self._start = start
        self._limit = limit
        self._resolution = max(resolution, 1)

    def upcoming(self) -> int | None:
        """What to try now; None when the answer is ``passed``."""
        if self.failed is None:
            number = 2 * self.passed if self.passed else self._start
            number = min(number, self._limit)
            return number if number > self.passed else None
        if self.failed - self.passed <= self._resolution:
            return None
        return (self.passed + self.failed) // 2

    def tell(self, number: int, *, is_good: bool) -> None:
        if is_good:
            self.passed = max(self.passed, number)
        else:
            self.failed = number if self.failed is None else min(self.failed, number)
