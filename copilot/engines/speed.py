"""How fast is this recogniser on this machine? A short measurement, before the first call."""

from __future__ import annotations

from typing import Final

import numpy as np

from copilot.clock import Clock
from copilot.engines.pool import AsrModel, AsrRequest, Float32
from copilot.events import SAMPLE_RATE_HZ

PROBE_S: Final = 3
"""As long as an utterance usually is."""
TRIES: Final = 2
REAL: Final = 6.5
"""Real speech takes so many times as long as the probe: there are words to write down, most of the work; pauses that
turn out not to be the end are read for nothing; workers share the memory's bandwidth (Whisper base on two cores, six
calls: 0.23 s of a worker per second of speech)."""
SPEECH: Final = 0.9
"""Seconds of speech, both sides together, in a second of a usual sales call."""
MOST_CALLS: Final = 512


def measure(model: AsrModel, clock: Clock) -> float:
    """Seconds one worker needs per second of speech. Takes a second or two; raises what the model raises."""
    request = AsrRequest(samples=hum(PROBE_S), language="en", kind="final")
    model.transcribe([request])  # the first time everything is slow
    took = []
    for _ in range(TRIES):
        began = clock.now()
        model.transcribe([request])
        took.append(clock.now() - began)
    return min(took) * REAL / PROBE_S


def calls_for(cost: float, *, workers: int, share: float) -> int:
    """How many calls ``workers`` of that ``cost`` keep up with in ``share`` of their time; at least one."""
    most = workers * share / (max(cost, 1e-6) * SPEECH)
    return max(1, min(MOST_CALLS, int(most)))


def hum(seconds: float) -> Float32:
    """Something like a voice: harmonics of 120 Hz around two formants, two syllables a second."""
    time = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    pitches = np.arange(120, 3_600, 120)
    gains = np.exp(-(((pitches - 700) / 500) ** 2)) + 0.5 * np.exp(-(((pitches - 1_800) / 400) ** 2))
    voice = (gains[:, None] * np.sin(2 * np.pi * pitches[:, None] * time)).sum(axis=0)
    syllables = np.clip(np.sin(4 * np.pi * time), 0, 1)
    return np.asarray(0.1 * voice * syllables, np.float32)
