"""The longest call there is, on a virtual clock: memory must not grow with its length."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from copilot.backtest.virtual import VirtualRun
from copilot.call.call import Call
from copilot.clock import FakeClock
from copilot.events import AudioReceived, CallEvent, HungUp, Hypothesis, MediaFormat
from tests.call.rig import LoudIsSpeech, info, setup

pytestmark = pytest.mark.e2e

HOURS = 4
RATE_HZ = 16_000
FRAME_S = 2
LINE_EVERY_S = 60
SETTLED_S = 600
"""After ten minutes everything that is kept on purpose is there once."""
MOST_GROWTH_MB = 48
"""For the transcript and the log of a busy call. Its audio alone would be 1,800 MB."""


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def script() -> Iterator[tuple[float, CallEvent]]:
    """Silence with a line every minute, rep and customer in turn."""
    samples = FRAME_S * RATE_HZ
    silent = bytes(4 * samples)
    voice = np.zeros((samples, 2), "<i2")
    voice[samples // 4 : samples // 2, 0] = np.random.default_rng(1).normal(0, 6_000, samples // 4)
    voices = (voice.tobytes(), voice[:, ::-1].tobytes())
    for frame in range(HOURS * 3600 // FRAME_S):
        line, begins = divmod(frame * FRAME_S, LINE_EVERY_S)
        payload = silent if begins else voices[line % 2]
        yield (frame + 1) * FRAME_S, AudioReceived(offset=frame * samples, payload=payload)
    yield HOURS * 3600, HungUp()


def test_four_hours_in_bounded_memory():
    media = MediaFormat(encoding="pcm_s16le", sample_rate_hz=RATE_HZ, channels=("rep", "customer"))
    run = VirtualRun(
        Call(info(media=msgspec.to_builtins(media)), setup()),
        scorers=[LoudIsSpeech(), LoudIsSpeech()],
        transcribe=lambda *_: Hypothesis(text="well that is too expensive", language="en", avg_logprob=-0.2),
        encode=None,
        clock=FakeClock(),
    )
    run.entries = deque(maxlen=0)  # the recording goes to disk
    seen: Counter[str] = Counter()
    settled = 0.0
    for effect in run.play(script()):
        seen[effect.type] += 1
        if not settled and run.call.position_ms > SETTLED_S * 1000:
            settled = resident_mb()
    assert run.call.is_finished
    assert run.call.position_ms == HOURS * 3_600_000
    assert seen["transcript.final"] == HOURS * 3600 // LINE_EVERY_S
    assert seen["card.raised"]
    assert resident_mb() - settled < MOST_GROWTH_MB
