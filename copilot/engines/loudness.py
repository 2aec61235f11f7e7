"""Loudness: how loud a stretch of samples is, and what gain makes quiet speech as loud as the models expect."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

SILENCE_DB: Final = -100.0
"""The level of digital silence."""
SPEECH_DB: Final = -26.0
"""The RMS level of ordinary recorded speech (ITU-T P.56 practice)."""
QUIET_DB: Final = -38.0
"""Speech above this level is left alone."""
MAX_GAIN_DB: Final = 24.0
DECAY_DB: Final = 0.05
"""How fast the estimate forgets a loud moment: per window, 1.6 dB a second."""


def level_db(samples: NDArray[np.float32]) -> float:
    """RMS level in dBFS; ``SILENCE_DB`` for nothing at all."""
    power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    return max(10 * float(np.log10(power)), SILENCE_DB) if power > 0 else SILENCE_DB


def gain_for(speech_db: float) -> float:
    """The factor that lifts quiet speech to ``SPEECH_DB``; 1 for speech that is loud enough."""
    if speech_db >= QUIET_DB:
        return 1.0
    return float(10 ** (min(SPEECH_DB - speech_db, MAX_GAIN_DB) / 20))


def normalise(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lift a quiet utterance as a whole; never beyond full scale."""
    gain = gain_for(level_db(samples))
    if gain == 1.0:
        return samples
    peak = float(np.max(np.abs(samples)))
    return samples * np.float32(min(gain, 1 / peak if peak else 1.0))


class Loudness:
    """A running estimate of how loud one channel's speech is."""

    def __init__(self) -> None:
        self._speech_db = SPEECH_DB

    def gain(self, level: float) -> float:
        """The gain for the next window, whose level is ``level``."""
        return gain_for(max(self._speech_db, level))

    def observe(self, level: float) -> None:
        """Learn from one window: loud moments at once, quiet ones slowly, digital silence not at all."""
        if level > SILENCE_DB:
            self._speech_db = max(level, self._speech_db - DECAY_DB)
