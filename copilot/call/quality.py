"""Is the call being heard well? Late text and identical channels are said out loud."""

from __future__ import annotations

from copilot.events import ServiceDegraded, SpeechScored

LATE_MS = 4_000
"""A final later than this is worth telling the people on the call."""
WELL_MS = 1_500
SPEECH = 0.5
TWIN_WINDOWS = 94
"""Three seconds of speech that is the same on both channels: they carry one signal."""


class Quality:
    """Watches lag with hysteresis, and channels that carry the same sound."""

    def __init__(self, channels: int) -> None:
        self._is_late = False
        self._last: dict[int, dict[int, tuple[float, float]]] = {channel: {} for channel in range(channels)}
        self._twins = 0
        self._twins_told = channels < 2

    def lagged(self, lag_ms: int) -> ServiceDegraded | None:
        """A final arrived ``lag_ms`` after its last sample."""
        if not self._is_late and lag_ms > LATE_MS:
            self._is_late = True
            return ServiceDegraded(stage="recognition", reason="late", lag_ms=lag_ms)
        if self._is_late and lag_ms < WELL_MS:
            self._is_late = False
            return ServiceDegraded(stage="recognition", reason="late", restored=True)
        return None

    def scored(self, event: SpeechScored) -> list[str]:
        """Compare the two channels window by window; a warning is given once per call."""
        if self._twins_told:
            return []
        mine = self._last[event.channel]
        for index, pair in enumerate(zip(event.scores, event.levels_db, strict=True), event.first_window):
            theirs = self._last[1 - event.channel].pop(index, None)
            if theirs is None:
                mine[index] = pair
            elif pair[0] >= SPEECH or theirs[0] >= SPEECH:
                self._twins = self._twins + 1 if pair == theirs else 0
        if self._twins < TWIN_WINDOWS:
            return []
        self._twins_told = True
        return ["identical_channels"]
