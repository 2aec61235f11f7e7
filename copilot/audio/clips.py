"""Copies of what was said on one channel, for as long as it is to be read again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from copilot.audio.timeline import to_float32, to_int16
from copilot.events import REVISION_GAP_MS, SAMPLE_RATE_HZ

Float32 = NDArray[np.float32]
PER_MS = SAMPLE_RATE_HZ // 1000


class Clips:
    """Stretches of 16 kHz audio in 16 bits (32 kB a second), in the order they were said.

    The timeline forgets after a while whatever it was; this forgets when told, and holds speech only.
    """

    def __init__(self) -> None:
        self._clips: list[tuple[int, NDArray[np.int16]]] = []

    @property
    def size_bytes(self) -> int:
        """Memory taken."""
        return sum(samples.nbytes for _, samples in self._clips)

    def keep(self, begin_ms: int, samples: Float32) -> None:
        """Copy what was heard from ``begin_ms`` (media time) on."""
        self._clips.append((begin_ms, to_int16(samples)))

    def forget(self, before_ms: int | None) -> None:
        """Let go of what ended before this media time; None: of everything."""
        self._clips = [] if before_ms is None else [clip for clip in self._clips if _end_ms(clip) > before_ms]

    def read(self, begin_ms: int, end_ms: int) -> Float32:
        """The samples between two media times; zeros where nothing is kept."""
        first, last = begin_ms * PER_MS, end_ms * PER_MS
        out = np.zeros(last - first, np.float32)
        for clip_ms, samples in self._clips:
            start = clip_ms * PER_MS
            low, high = max(first, start), min(last, start + len(samples))
            if low < high:
                out[low - first : high - first] = to_float32(samples[low - start : high - start])
        return out

    def packed(self, spans: Sequence[tuple[int, int]]) -> Float32:
        """The stretches of a revision laid end to end, with the agreed silence between them."""
        gap = np.zeros(REVISION_GAP_MS * PER_MS, np.float32)
        pieces = [piece for span in spans for piece in (gap, self.read(*span))]
        return np.concatenate(pieces[1:] or [gap])


def _end_ms(clip: tuple[int, NDArray[np.int16]]) -> int:
    return clip[0] + len(clip[1]) // PER_MS
