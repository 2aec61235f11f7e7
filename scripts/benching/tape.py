"""Recordings made ready to be sent: every WebSocket frame of a call is encoded before the clock runs."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from copilot.engines.media import open_recording
from copilot.wire.frames import pack_frame

from .truth import Truth, load_truth

EPOCH = 1
"""Of a call's first connection."""
SAMPLE_BYTES = 2
BINARY, MASKED = 0x82, 0x80
NO_MASK = bytes(4)
"""A mask of zeros leaves the payload as it is, so that a frame can be encoded once and sent on many connections."""


class Tape(msgspec.Struct, frozen=True):
    """A recording with its truth. ``pcm``: interleaved 16-bit samples; ``frames``: what goes over the socket."""

    name: str
    truth: Truth
    sample_rate_hz: int
    channels: tuple[str, ...]
    pcm: bytes
    frame_ms: int
    frames: list[bytes]

    @property
    def samples(self) -> int:
        """Per channel."""
        return len(self.pcm) // (SAMPLE_BYTES * len(self.channels))

    @property
    def duration_s(self) -> float:
        return self.samples / self.sample_rate_hz

    def sha256(self, samples: int) -> tuple[str, ...]:
        """Of the first samples of each channel, as ``call.ended`` gives it."""
        return tuple(hashlib.sha256(channel[:samples].tobytes()).hexdigest() for channel in self.waves())

    def waves(self) -> list[np.ndarray[tuple[int], np.dtype[np.int16]]]:
        """The samples of each channel."""
        waves = np.frombuffer(self.pcm, "<i2").reshape(-1, len(self.channels))
        return [np.ascontiguousarray(waves[:, channel]) for channel in range(len(self.channels))]


def websocket_frame(payload: bytes) -> bytes:
    """A whole binary frame as a client sends it (RFC 6455, section 5.2)."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", BINARY, MASKED | size)
    elif size < 65_536:
        head = struct.pack("!BBH", BINARY, MASKED | 126, size)
    else:
        head = struct.pack("!BBQ", BINARY, MASKED | 127, size)
    return head + NO_MASK + payload


def load_tape(truth_file: Path, frame_ms: int) -> Tape:
    """The recording beside a truth file. Raises MediaFileError, msgspec.ValidationError."""
    recording = open_recording(truth_file.with_suffix(".flac"))
    pcm = b"".join(recording.frames)
    channels = ("rep", "customer") if recording.channels == 2 else ("customer",)
    return Tape(
        name=truth_file.stem,
        truth=load_truth(truth_file),
        sample_rate_hz=recording.sample_rate_hz,
        channels=channels,
        pcm=pcm,
        frame_ms=frame_ms,
        frames=list(_frames(pcm, recording.sample_rate_hz * frame_ms // 1000, SAMPLE_BYTES * len(channels))),
    )


def load_tapes(folder: Path, frame_ms: int, only: str = "") -> list[Tape]:
    """All calls of a folder whose name holds ``only``."""
    files = [file for file in sorted(folder.glob("*.json")) if file.with_suffix(".flac").exists()]
    return [load_tape(file, frame_ms) for file in files if only in file.stem]


def _frames(pcm: bytes, samples: int, block: int) -> Iterator[bytes]:
    for number, start in enumerate(range(0, len(pcm), samples * block)):
        yield websocket_frame(pack_frame(EPOCH, number * samples, pcm[start : start + samples * block]))
