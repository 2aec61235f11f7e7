"""Sounds nobody speaks in, made here: hold music, noise, keys, silence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 8_000
SECONDS = 12
Sound = Callable[[], np.ndarray]


def seconds(length: float = SECONDS) -> np.ndarray:
    return np.arange(round(length * RATE_HZ)) / RATE_HZ


def silence() -> np.ndarray:
    return np.zeros(SECONDS * RATE_HZ)


def noise() -> np.ndarray:
    """A bad line: white noise with a hum."""
    rng = np.random.default_rng(1)
    return 0.05 * rng.standard_normal(SECONDS * RATE_HZ) + 0.05 * np.sin(2 * np.pi * 50 * seconds())


def dtmf() -> np.ndarray:
    """Keys 1 to 9, 0.2 s each with 0.3 s between them, again and again."""
    low, high = (697, 770, 852), (1209, 1336, 1477)
    pause = np.zeros(round(0.3 * RATE_HZ))
    keys = []
    for key in range(9):
        at = seconds(0.2)
        tone = np.sin(2 * np.pi * low[key // 3] * at) + np.sin(2 * np.pi * high[key % 3] * at)
        keys += [0.25 * tone, pause]
    return np.resize(np.concatenate(keys), SECONDS * RATE_HZ)


def hold_music() -> np.ndarray:
    """Four chords of plucked strings over a bass, as every exchange plays them."""
    chords = ((262, 330, 392), (220, 262, 330), (175, 220, 262), (196, 247, 294))
    beat = seconds(0.5)
    decay = np.exp(-3 * beat)
    bars = []
    for chord in chords:
        bass = 0.3 * np.sin(2 * np.pi * chord[0] / 2 * beat)
        for note in (*chord, chord[1]):
            strings = sum(np.sin(2 * np.pi * note * harmonic * beat) / harmonic for harmonic in (1, 2, 3, 4))
            bars.append(0.2 * decay * strings + bass * decay)
    return np.resize(np.concatenate(bars), SECONDS * RATE_HZ)


def ringing() -> np.ndarray:
    """Ringback and busy tone."""
    at = seconds()
    on = (at % 3 < 1) | ((at > SECONDS / 2) & (at % 1 < 0.5))
    return 0.2 * on * np.sin(2 * np.pi * 425 * at)


SOUNDS: dict[str, Sound] = {each.__name__: each for each in (silence, noise, dtmf, hold_music, ringing)}


def write(path: Path, *channels: np.ndarray, rate_hz: int = RATE_HZ) -> Path:
    """Write channels of samples (-1..1) in the format of the suffix."""
    options = {"format": "OGG", "subtype": "OPUS"} if path.suffix == ".opus" else {}
    soundfile.write(path, np.column_stack(channels), rate_hz, **options)
    return path
