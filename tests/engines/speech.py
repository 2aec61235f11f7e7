"""The shipped call as samples with its truth, for tests that run the real models."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from copilot.audio.timeline import Timeline
from copilot.engines.media import open_recording
from copilot.events import MediaFormat

DATA = Path(__file__).parents[1] / "data"
MODELS = Path(os.environ.get("COPILOT_MODELS_DIR") or Path(__file__).parents[2] / "models")
needs_models = pytest.mark.skipif(
    not (MODELS / "whisper-base" / "model.bin").exists() and not os.environ.get("CI"),
    reason="run `copilot models fetch` first",
)
CHANNELS = {"agent": 0, "customer": 1}


class Call:
    """One recording: 16 kHz samples by channel and second, and what is known to be said in it."""

    def __init__(self, name: str) -> None:
        recording = open_recording(DATA / f"{name}.flac")
        self._timeline = Timeline(MediaFormat(sample_rate_hz=recording.sample_rate_hz), retain_ms=recording.duration_ms)
        for frame in recording.frames:
            self._timeline.receive(frame)
        self._timeline.finish()
        self.truth: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))

    def samples(self, channel: int, start_s: float, end_s: float) -> np.ndarray:
        return self._timeline.samples(channel, round(start_s * 1000), round(end_s * 1000))

    def phrases(self, speaker: str, until: float) -> list[tuple[float, float]]:
        return [
            (phrase["start"], phrase["end"])
            for said in self.truth["utterances"]
            if said["speaker"] == speaker
            for phrase in said["phrases"]
            if phrase["start"] < until
        ]


@cache
def call() -> Call:
    return Call("en_dev_03_solar")
