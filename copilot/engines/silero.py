"""Silero VAD (v5/v6 ONNX): how likely each 32 ms window is to hold speech."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from copilot.engines.loudness import Loudness, level_db
from copilot.errors import ModelError
from copilot.events import SAMPLE_RATE_HZ, WINDOW_SAMPLES

Float32 = NDArray[np.float32]

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
        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = 1
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises a family of its own, without a common base
            raise ModelError(
                "model.unreadable", f"cannot load the voice detector from {path}", hint="Run `copilot models verify`."
            ) from error
        return cls(session)

    def stream(self) -> SileroStream:
        """A fresh ear for one channel."""
        return SileroStream(self)

    def run(self, window: Float32, state: Float32) -> tuple[float, Float32]:
        """Score one window with its context [1, 576]; return the score and the next state."""
        score, following = self._session.run(None, {"input": window, "state": state, "sr": _RATE})
        return float(score[0, 0]), following


class SileroStream:
    """One channel's place in time: recurrent state, context and gain. Feed windows in order."""

    def __init__(self, model: Silero) -> None:
        self._model = model
        self._state: Float32 = np.zeros(STATE_SHAPE, np.float32)
        self._context: Float32 = np.zeros(CONTEXT_SAMPLES, np.float32)
        self._loudness = Loudness()

    def score(self, windows: Float32) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Speech probability (3 decimals) and level in dBFS (1 decimal) of each of the windows [n, 512]."""
        pairs = [self._score_one(window) for window in windows.reshape(-1, WINDOW_SAMPLES)]
        return tuple(score for score, _ in pairs), tuple(level for _, level in pairs)

    def _score_one(self, window: Float32) -> tuple[float, float]:
        level = level_db(window)
        gain = np.float32(self._loudness.gain(level))
        padded = np.concatenate((self._context, window)) * gain
        score, self._state = self._model.run(padded[np.newaxis], self._state)
        self._loudness.observe(level)
        self._context = window[-CONTEXT_SAMPLES:]
        return round(score, 3), round(level, 1)
