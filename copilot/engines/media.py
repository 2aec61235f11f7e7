"""Recordings on disk -> 20 ms frames of 16-bit PCM, as a softphone would send them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import av
import msgspec
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from copilot.errors import MediaFileError

Int16 = NDArray[np.int16]

FRAME_MS: Final = 20
BLOCK_FRAMES: Final = 4_096
MAX_CHANNELS: Final = 2
RATES_HZ: Final = (8_000, 16_000, 24_000, 48_000)
"""Rates a call may have; anything else is resampled to ``OTHER_RATE_HZ``."""
OTHER_RATE_HZ: Final = 16_000
UNKNOWN_SIZES: Final = (0, 0x7FFF_FFFF, 0xFFFF_FFFF)
"""What programs that write to a pipe put where a WAV file's size belongs."""
FORMATS_HINT: Final = "WAV, FLAC, MP3, OGG/Opus and anything FFmpeg decodes can be read; check that the file is whole."


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """An opened recording.

    ``frames`` yields interleaved ``pcm_s16le``, 20 ms each (the last may be shorter), and can be taken once. A file
    that ends early yields what is there and then raises MediaFileError ``media.truncated``. ``duration_ms`` is what
    the file says, 0 when it does not.
    """

    sample_rate_hz: int
    channels: int
    duration_ms: int
    frames: Iterator[bytes]


def open_recording(path: Path) -> Recording:
    """Open an audio file with one or two channels.

    Raises MediaFileError: ``media.unreadable``, ``media.empty``, ``media.no_audio``, ``media.too_many_channels``;
    ``media.truncated`` while reading.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise MediaFileError("media.unreadable", f"cannot read {path}: {error.strerror}") from error
    if size == 0:
        raise MediaFileError("media.empty", f"{path} is empty")
    try:
        return _with_soundfile(path)
    except soundfile.LibsndfileError:
        return _with_av(path)


def _with_soundfile(path: Path) -> Recording:
    file = soundfile.SoundFile(path)
    _check(path, file.channels, file.frames)
    promised = max(file.frames, _promised_frames(path))
    return Recording(
        sample_rate_hz=_rate(file.samplerate),
        channels=file.channels,
        duration_ms=promised * 1000 // file.samplerate,
        frames=_frames(_soundfile_blocks(path, file, promised), file.samplerate, file.channels),
    )


def _soundfile_blocks(path: Path, file: soundfile.SoundFile, promised: int) -> Iterator[Int16]:
    read = 0
    with file:
        while True:
            try:
                block = file.read(BLOCK_FRAMES, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                raise _truncated(path, read / file.samplerate) from error
            if len(block) == 0:
                break
            read += len(block)
            # Read as float, because libsndfile turns files of floats into 16-bit silence.
            yield np.clip(np.rint(block * 32_768), -32_768, 32_767).astype(np.int16)
    if read < promised:
        raise _truncated(path, read / file.samplerate)


def _promised_frames(path: Path) -> int:
    """Sample frames a WAV header announces (libsndfile silently believes the file's size instead); 0 if unknown."""
    with path.open("rb") as file:
        riff, _, wave = struct.unpack("<4sI4s", file.read(12).ljust(12))
        if (riff, wave) != (b"RIFF", b"WAVE"):
            return 0
        block_align = 0
        while len(header := file.read(8)) == 8:
            name, size = struct.unpack("<4sI", header)
            if name == b"data":
                return 0 if size in UNKNOWN_SIZES or not block_align else size // block_align
            body = file.read(size + size % 2)
            if name == b"fmt " and len(body) >= 14:
                block_align = struct.unpack_from("<H", body, 12)[0]
    return 0


def _with_av(path: Path) -> Recording:
    try:
        container = av.open(str(path))
    except (av.FFmpegError, ValueError) as error:
        raise MediaFileError("media.unreadable", f"{path} is not a recording", hint=FORMATS_HINT) from error
    if not container.streams.audio:
        container.close()
        raise MediaFileError("media.no_audio", f"{path} holds no audio")
    stream = container.streams.audio[0]
    channels = stream.codec_context.channels
    _check(path, channels, 1)
    rate = stream.codec_context.sample_rate
    duration_ms = int(stream.duration * stream.time_base * 1000) if stream.duration and stream.time_base else 0
    return Recording(
        sample_rate_hz=_rate(rate),
        channels=channels,
        duration_ms=duration_ms,
        frames=_frames(_av_blocks(path, container, duration_ms), rate, channels),
    )


def _av_blocks(path: Path, container: av.container.InputContainer, duration_ms: int) -> Iterator[Int16]:
    stream = container.streams.audio[0]
    to_pcm = av.AudioResampler(format="s16", rate=stream.codec_context.sample_rate)
    read_s = 0.0
    with container:
        try:
            for frame in container.decode(stream):
                for converted in to_pcm.resample(frame):
                    read_s += converted.samples / converted.sample_rate
                    yield np.asarray(converted.to_ndarray(), np.int16).reshape(converted.samples, -1)
        except av.FFmpegError as error:
            raise _truncated(path, read_s) from error
    if read_s == 0:
        raise MediaFileError("media.empty", f"{path} holds no sound")
    if read_s * 1000 < duration_ms - 1000:
        raise _truncated(path, read_s)


def _frames(blocks: Iterator[Int16], rate_hz: int, channels: int) -> Iterator[bytes]:
    """Cut blocks of any size into frames; resample to a rate calls can have. An error comes after the last frame."""
    resampler = None if rate_hz in RATES_HZ else soxr.ResampleStream(rate_hz, OTHER_RATE_HZ, channels, dtype="int16")
    size = _rate(rate_hz) * FRAME_MS // 1000 * channels * 2
    held = b""
    failure: MediaFileError | None = None
    while failure is None:
        try:
            block = next(blocks, None)
        except MediaFileError as error:
            failure, block = error, None
        if resampler:
            last = block is None
            block = resampler.resample_chunk(np.empty((0, channels), np.int16) if block is None else block, last=last)
            held += block.astype("<i2").tobytes()
            if last:
                break
        elif block is None:
            break
        else:
            held += block.astype("<i2").tobytes()
        whole = len(held) // size * size
        yield from (held[start : start + size] for start in range(0, whole, size))
        held = held[whole:]
    yield from (held[start : start + size] for start in range(0, len(held), size))
    if failure:
        raise failure


def _rate(rate_hz: int) -> int:
    return rate_hz if rate_hz in RATES_HZ else OTHER_RATE_HZ


def _check(path: Path, channels: int, frames: int) -> None:
    if frames == 0:
        raise MediaFileError("media.empty", f"{path} holds no sound")
    if channels > MAX_CHANNELS:
        raise MediaFileError(
            "media.too_many_channels",
            f"{path} has {channels} channels; a call has one or two",
            hint="Mix it down, for instance with `ffmpeg -i IN -ac 2 OUT`.",
        )


def _truncated(path: Path, read_s: float) -> MediaFileError:
    return MediaFileError("media.truncated", f"{path} breaks off after {read_s:.1f} s")
