"""Silero VAD (v5/v6 ONNX): how likely each 32 ms window is to hold speech."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from copilot.engines.loudness import Loudness, levels_db
from copilot.engines.sessions import open_session
from copilot.errors import ModelError
from copilot.events import SAMPLE_RATE_HZ, WINDOW_SAMPLES

Float32 = NDArray[np.float32]
Scores = tuple[tuple[float, ...], tuple[float, ...]]
"""Speech probabilities and levels of consecutive windows."""

CONTEXT_SAMPLES: Final = 64
"""The end of the previous window, put before each window (Silero's own wrapper does the same at 16 kHz)."""
STATE_SHAPE: Final = (2, 1, 128)
_RATE: Final = np.array(SAMPLE_RATE_HZ, np.int64)


class Silero:
    """The model, shared by all calls; each channel scores through a ``stream()`` of its own."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session

    @classmethod
    def load(cls, path: Path) -> Silero:
        """Read the ONNX file. Raises ModelError (``model.unreadable``)."""
        try:
            session = open_session(path)
        except Exception as error:  # onnxruntime raises a family of its own, without a common base
            raise ModelError(
                "model.unreadable", f"cannot load the voice detector from {path}", hint="Run `copilot models verify`."
            ) from error
        return cls(session)

    def stream(self) -> SileroStream:
        """A fresh ear for one channel."""
        return SileroStream(self)

    def score_together(self, heard: Sequence[tuple[SileroStream, Float32]]) -> list[Scores]:
        """Score windows [n, 512] of different channels; see the function of that name."""
        return score_together(heard)

    def run(self, windows: Float32, states: Float32) -> tuple[Float32, Float32]:
        """Score one window each of several channels, with its context: [n, 576], states [2, n, 128] -> [n], states."""
        scores, following = self._session.run(None, {"input": windows, "state": states, "sr": _RATE})
        return scores[:, 0], following


class SileroStream:
    """One channel's place in time: recurrent state, context and gain. Feed windows in order."""

    def __init__(self, model: Silero) -> None:
        self.model = model
        self.state: Float32 = np.zeros(STATE_SHAPE, np.float32)
        self._context: Float32 = np.zeros(CONTEXT_SAMPLES, np.float32)
        self._loudness = Loudness()

    def score(self, windows: Float32) -> Scores:
        """Speech probability (3 decimals) and level in dBFS (1 decimal) of each of the windows [n, 512]."""
        return score_together([(self, windows)])[0]

    def prepare(self, windows: Float32) -> tuple[Float32, tuple[float, ...]]:
        """The windows with context and gain, as the model wants them [n, 576], and their levels."""
        windows = windows.reshape(-1, WINDOW_SAMPLES)
        padded = np.empty((len(windows), CONTEXT_SAMPLES + WINDOW_SAMPLES), np.float32)
        padded[:, CONTEXT_SAMPLES:] = windows
        padded[1:, :CONTEXT_SAMPLES] = windows[:-1, -CONTEXT_SAMPLES:]
        if len(windows):
            padded[0, :CONTEXT_SAMPLES] = self._context
            self._context = windows[-1, -CONTEXT_SAMPLES:].copy()
        levels = levels_db(windows)
        gains = []
        for level in levels:
            gains.append(self._loudness.gain(level))
            self._loudness.observe(level)
        padded *= np.array(gains, np.float32)[:, np.newaxis]
        return padded, tuple(round(level, 1) for level in levels)


def score_together(heard: Sequence[tuple[SileroStream, Float32]]) -> list[Scores]:
    """Score windows [n, 512] of different channels of one model, a window of each at a time.

    Sixteen together cost a third of sixteen alone. Each channel may come once.
    """
    if not heard:
        return []
    prepared = [stream.prepare(windows) for stream, windows in heard]
    found: list[list[float]] = [[] for _ in heard]
    for step in range(max(len(windows) for windows, _ in prepared)):
        going = [index for index, (windows, _) in enumerate(prepared) if step < len(windows)]
        windows = np.stack([prepared[index][0][step] for index in going])
        states = np.concatenate([heard[index][0].state for index in going], axis=1)
        scores, states = heard[0][0].model.run(windows, states)
        for place, index in enumerate(going):
            heard[index][0].state = states[:, place : place + 1]
            found[index].append(round(float(scores[place]), 3))
    return [(tuple(scores), levels) for scores, (_, levels) in zip(found, prepared, strict=True)]
