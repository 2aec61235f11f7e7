"""WAV files as frames."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from copilot_client.protocol import Media

SAMPLE_BYTES = 2


class WavFile:
    """A 16-bit PCM WAV file. Raises OSError, ``wave.Error`` or EOFError for what is not one."""

    def __init__(self, path: str | Path) -> None:
        self._path = path
        self._wav = wave.open(str(path), "rb")  # noqa: SIM115  # closed in __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wav.close()

    def media(self, channels: tuple[Literal["rep", "customer"], ...] = ("rep", "customer")) -> Media:
        """The format of this file, its channels being (the first of) ``channels``."""
        return Media("pcm_s16le", self._wav.getframerate(), channels[: self._wav.getnchannels()])

    def require(self, media: Media) -> None:
        """Raise ValueError unless the file is in this format."""
        found = (self._wav.getsampwidth(), self._wav.getframerate(), self._wav.getnchannels())
        wanted = (SAMPLE_BYTES, media.sample_rate, len(media.channels))
        if media.encoding != "pcm_s16le" or found != wanted:
            raise ValueError(
                f"{self._path} holds {8 * found[0]}-bit PCM, {found[1]} Hz, {found[2]} channels; the call was started "
                f"with {media.encoding}, {media.sample_rate} Hz, {len(media.channels)} channels"
            )

    def frames(self, frame_ms: int) -> Iterator[tuple[float, bytes]]:
        """Pairs of when a frame ends, in seconds since the beginning, and its bytes."""
        rate = self._wav.getframerate()
        samples = max(1, rate * frame_ms // 1000)
        while frame := self._wav.readframes(samples):
            yield self._wav.tell() / rate, frame
