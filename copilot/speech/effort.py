"""How much recognition one call gets: less while the machine cannot keep up."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Literal

from copilot.events import Frozen

SLOWED: Final = 2.5
"""Slow interims come after this many times the usual interval."""


class Effort(Frozen, frozen=True, kw_only=True):
    """What a transcriber asks for. ``speculate``: finals before silence has lasted; ``context``: what was said before
    goes along; ``recognise``: finals at all.
    """

    interims: Literal["on", "slow", "off"] = "on"
    speculate: bool = True
    context: bool = True
    recognise: bool = True

    def interval_ms(self, usual_ms: int) -> int:
        """Milliseconds between interims."""
        return round(usual_ms * SLOWED) if self.interims == "slow" else usual_ms


def effort_without(stages: Collection[str]) -> Effort:
    """What remains when these ``LOAD_STAGES`` are given up."""
    is_deaf = "record_only" in stages
    is_small = "recogniser_small" in stages or is_deaf
    silent = "interims_off" in stages or is_deaf
    return Effort(
        interims="off" if silent else "slow" if "interims_slow" in stages else "on",
        speculate=not is_small,
        context=not is_small,
        recognise=not is_deaf,
    )
