"""Loudness: how loud a stretch of samples is, and what gain makes speech as loud as the models expect."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

SILENCE_DB: Final = -100.0
"""The level of digital silence."""
TARGET_DB: Final = -28.0
"""Where the voice detector hears best: the level of the loud windows of speech. It misses loud voices too."""
QUIET_DB: Final = -38.0
"""Utterances above this level are left alone by ``normalise``."""
MAX_GAIN_DB: Final = 30.0
ATTACK_DB: Final = 3.0
"""How fast the running estimate rises, per window: speech is learnt in a few windows, a click is not."""
DECAY_DB: Final = 0.02
"""How fast it falls, per window (0.6 dB a second): slowly, or the noise between two sentences becomes as loud."""


def level_db(samples: NDArray[np.float32]) -> float:
    """RMS level in dBFS; ``SILENCE_DB`` for nothing at all."""
    power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    return max(10 * float(np.log10(power)), SILENCE_DB) if power > 0 else SILENCE_DB


def levels_db(windows: NDArray[np.float32]) -> list[float]:
    """``level_db`` of each row."""
    powers = np.mean(np.square(windows, dtype=np.float64), axis=-1)
    levels: list[float] = (10 * np.log10(np.maximum(powers, 10 ** (SILENCE_DB / 10)))).tolist()
    return levels


def gain(speech_db: float) -> float:
    """The factor that brings speech of this level to ``TARGET_DB``, within ``MAX_GAIN_DB`` either way."""
    return float(10 ** (max(-MAX_GAIN_DB, min(TARGET_DB - speech_db, MAX_GAIN_DB)) / 20))


def normalise(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lift a quiet utterance as a whole, never beyond full scale; leave the others alone."""
    level = level_db(samples)
    if not SILENCE_DB < level < QUIET_DB:
        return samples
    return samples * np.float32(min(gain(level), 1 / float(np.max(np.abs(samples)))))


class Loudness:
    """A running estimate of how loud one channel's speech is."""

    def __init__(self) -> None:
        self._speech_db = TARGET_DB

    def gain(self, level: float) -> float:
        """The gain for the next window, whose level is ``level``: nothing becomes louder than the target."""
        return gain(max(self._speech_db, level))

    def observe(self, level: float) -> None:
        """Learn from one window: loud ones soon, quiet ones slowly, digital silence not at all."""
        if level > self._speech_db:
            self._speech_db = min(level, self._speech_db + ATTACK_DB)
        elif level > SILENCE_DB:
            self._speech_db = max(level, self._speech_db - DECAY_DB)
