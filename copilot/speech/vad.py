"""Voice activity of one channel: hysteresis over window scores, as Silero VAD defines its tunables."""

from __future__ import annotations

from enum import Enum

from copilot.config import VadSettings
from copilot.events import WINDOW_MS


class Voice(Enum):
    """What a window changed."""

    STARTED = "started"
    """Enough speech to believe it; it began at ``started``."""
    PAUSED = "paused"
    """Silent for ``speculate_after_ms``: this may be the end, which would be at ``stopped``."""
    RESUMED = "resumed"
    """It was not the end."""
    ENDED = "ended"
    """Silent for ``patience_ms``; the voice stopped at ``stopped``."""


class Vad:
    """A state machine: feed it every window's score, in order. Positions are window indices.

    A window scored at least ``threshold`` is voiced; silence begins with a window below ``neg_threshold`` and ends
    with a voiced one; what lies between the two changes nothing. ``patience_ms`` is how long this pause must last to
    be the end: ``min_silence_ms`` unless somebody who knows the words says otherwise.
    """

    def __init__(self, settings: VadSettings) -> None:
        self._settings = settings
        self.reset()

    def reset(self) -> None:
        """Forget what is being said."""
        self.started: int | None = None
        self.stopped: int | None = None
        self.voiced = 0
        self.patience_ms = self._settings.min_silence_ms
        self._believed = False
        self._ended = False
        self._paused = False

    @property
    def is_speaking(self) -> bool:
        """Between ``STARTED`` and ``ENDED``."""
        return self._believed

    def observe(self, window: int, score: float) -> Voice | None:
        """What this window changes, if anything. After ``ENDED``, ``started`` and ``stopped`` stand until the next."""
        if self.started is None or self._is_over(window):
            return self._listen(window, score)
        if score >= self._settings.threshold:
            return self._voiced()
        # Until it is believed there is no hysteresis: a few doubtful windows must not wait for ever for company.
        floor = self._settings.neg_threshold if self._believed else self._settings.threshold
        if self.stopped is None and score < floor:
            self.stopped = window
        return self._silent(window)

    def _is_over(self, window: int) -> bool:
        """What began has ended, or too little was said to have begun."""
        if self._believed or self.stopped is None:
            return False
        return self._ended or (window - self.stopped) * WINDOW_MS >= self._settings.min_silence_ms

    def _listen(self, window: int, score: float) -> Voice | None:
        self.reset()
        if score < self._settings.threshold:
            return None
        self.started = window
        return self._voiced()

    def _voiced(self) -> Voice | None:
        self.voiced += 1
        self.stopped = None
        if not self._believed and self.voiced * WINDOW_MS >= self._settings.min_speech_ms:
            self._believed = True
            return Voice.STARTED
        if self._paused:
            self._paused = False
            self.patience_ms = self._settings.min_silence_ms
            return Voice.RESUMED
        return None

    def _silent(self, window: int) -> Voice | None:
        if self.stopped is None or not self._believed:
            return None
        silence_ms = (window + 1 - self.stopped) * WINDOW_MS
        if silence_ms >= self.patience_ms:
            self._believed = False
            self._ended = True
            return Voice.ENDED
        if silence_ms >= self._settings.speculate_after_ms and not self._paused:
            self._paused = True
            return Voice.PAUSED
        return None
