"""The bound: the same weights over a whole channel at once, as faster-whisper reads a file."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from faster_whisper import WhisperModel
from numpy.typing import NDArray

from copilot.config import RecogniserSettings


class Offline:
    """One thread, so that its CPU time compares with ours. ``vad_threshold`` 0: no voice detection before reading.

    The library's own threshold (0.5) loses whole lines of telephone speech and would make too kind a bound.
    """

    def __init__(self, folder: str, settings: RecogniserSettings, vad_threshold: float) -> None:
        self._vad = {"threshold": vad_threshold} if vad_threshold else None
        self._model = WhisperModel(
            folder, device=settings.device, compute_type=settings.compute_type, cpu_threads=1, num_workers=1
        )

    def read(self, waves: Mapping[str, NDArray[Any]], language: str, beam: int) -> tuple[dict[str, str], float]:
        """Each speaker's text, and the CPU-s it took."""
        began = time.process_time()
        texts = {}
        for speaker, wave in waves.items():
            segments, _ = self._model.transcribe(
                wave, language=language, beam_size=beam, vad_filter=self._vad is not None, vad_parameters=self._vad
            )
            texts[speaker] = " ".join(segment.text for segment in segments)
        return texts, time.process_time() - began
