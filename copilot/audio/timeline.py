"""The media timeline of one call: encoded bytes in, 16 kHz windows out, memory bounded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

from copilot.audio.g711 import decode_alaw, decode_mulaw
from copilot.errors import LocalProtocolError, RemoteProtocolError
from copilot.events import SAMPLE_RATE_HZ, WINDOW_SAMPLES, Encoding, MediaFormat

Float32 = NDArray[np.float32]
Int16 = NDArray[np.int16]

SAMPLE_RATES_HZ: Final = (8_000, 16_000, 24_000, 48_000)
MAX_CHANNELS: Final = 2
RETAIN_MS: Final = 30_000
"""The longest utterance, the time its words are waited for at most, and some."""
FULL_SCALE: Final = 32_768
SILENCE_BYTE: Final[dict[Encoding, bytes]] = {"pcm_s16le": b"\x00\x00", "mulaw": b"\xff", "alaw": b"\xd5"}
"""One sample of (nearly) nothing in each encoding; its length is the size of a sample."""
_DECODE: Final[dict[Encoding, Callable[[bytes], NDArray[np.int16]]]] = {
    "pcm_s16le": lambda payload: np.frombuffer(payload, "<i2"),
    "mulaw": decode_mulaw,
    "alaw": decode_alaw,
}


def check_media(encoding: str, sample_rate_hz: int, channels: int) -> None:
    """Refuse a format that cannot be heard: RemoteProtocolError ``media.unsupported``, close code 4406."""
    wrong = ""
    if encoding not in SILENCE_BYTE:
        wrong = f"encoding {encoding!r}; send one of {', '.join(SILENCE_BYTE)}"
    elif sample_rate_hz not in SAMPLE_RATES_HZ:
        wrong = f"sample rate {sample_rate_hz}; send one of {', '.join(map(str, SAMPLE_RATES_HZ))}"
    elif not 1 <= channels <= MAX_CHANNELS:
        wrong = f"{channels} channels; send one or two"
    if wrong:
        raise RemoteProtocolError("media.unsupported", f"cannot hear {wrong}", close_code=4406)


def frame_bytes(media: MediaFormat) -> int:
    """Bytes of one sample of every channel."""
    return len(SILENCE_BYTE[media.encoding]) * len(media.channels)


class Timeline:
    """Turns the bytes of one call into 512-sample windows of 16 kHz mono float32 per channel.

    Any chunking of the same bytes yields the same samples. Only the newest ``retain_ms`` can be read back.
    """

    def __init__(self, media: MediaFormat, retain_ms: int = RETAIN_MS) -> None:
        check_media(media.encoding, media.sample_rate_hz, len(media.channels))
        self._media = media
        self._decode = _DECODE[media.encoding]
        self._tracks = tuple(_Track(media.sample_rate_hz, retain_ms) for _ in media.channels)
        self._source_samples = 0
        self._missed_samples = 0
        self._windows = 0
        self._finished = False

    @property
    def position_ms(self) -> int:
        """Media time received so far, gaps included."""
        return self._source_samples * 1000 // self._media.sample_rate_hz

    @property
    def source_samples(self) -> int:
        """Samples per channel received so far at source rate, gaps included: the offset expected next."""
        return self._source_samples

    @property
    def gaps_ms(self) -> int:
        """Media time declared as lost."""
        return self._missed_samples * 1000 // self._media.sample_rate_hz

    @property
    def windows(self) -> int:
        """Complete windows per channel so far."""
        return self._windows

    @property
    def oldest_ms(self) -> int:
        """Media time from which on samples can be read back."""
        return -(-self._tracks[0].first * 1000 // SAMPLE_RATE_HZ)

    @property
    def size_bytes(self) -> int:
        """Memory the retained samples take."""
        return sum(track.size_bytes for track in self._tracks)

    def receive(self, payload: bytes) -> int:
        """Take whole interleaved frames that follow what came before; return the new windows per channel."""
        if self._finished:
            raise LocalProtocolError("audio.finished", "audio after the end of the timeline")
        if len(payload) % frame_bytes(self._media):
            raise LocalProtocolError("audio.partial_frame", f"{len(payload)} bytes are not whole frames")
        frames = self._decode(payload).reshape(-1, len(self._tracks))
        self._source_samples += len(frames)
        for channel, track in enumerate(self._tracks):
            track.extend(np.divide(frames[:, channel], FULL_SCALE, dtype=np.float32))
        return self._advance()

    def miss(self, samples: int) -> int:
        """Put silence in the place of ``samples`` lost ones (source rate); return the new windows per channel."""
        silence = SILENCE_BYTE[self._media.encoding] * len(self._tracks)
        windows = 0
        for start in range(0, samples, self._media.sample_rate_hz):
            windows += self.receive(silence * min(samples - start, self._media.sample_rate_hz))
        self._missed_samples += samples
        return windows

    def finish(self) -> int:
        """No more will come: flush the resampler, fill the last window with silence; return the new windows."""
        if self._finished:
            return 0
        for track in self._tracks:
            track.finish()
        self._finished = True
        return self._advance()

    def window_samples(self, channel: int, first: int, count: int) -> Float32:
        """Windows [count, 512]. What is no longer retained reads as silence."""
        if first < 0 or first + count > self._windows:
            raise LocalProtocolError("audio.not_there_yet", f"windows {first}..{first + count} of {self._windows}")
        return self._tracks[channel].read(first * WINDOW_SAMPLES, count * WINDOW_SAMPLES).reshape(count, WINDOW_SAMPLES)

    def samples(self, channel: int, start_ms: int, end_ms: int) -> Float32:
        """The samples between two media times, clipped to what has arrived and is still retained."""
        per_ms = SAMPLE_RATE_HZ // 1000
        return self._tracks[channel].clip(start_ms * per_ms, end_ms * per_ms)

    def _advance(self) -> int:
        before = self._windows
        self._windows = self._tracks[0].end // WINDOW_SAMPLES
        return self._windows - before


class _Track:
    """One channel: a streaming resampler and the newest samples it made, in 16 bits: a call holds little memory."""

    def __init__(self, source_rate_hz: int, retain_ms: int) -> None:
        self._resampler = _resampler(source_rate_hz)
        self._retain = retain_ms * SAMPLE_RATE_HZ // 1000
        self._buffer: Int16 = np.empty(0, np.int16)
        self.first = 0  # absolute index of the oldest sample in the buffer
        self._used = 0

    @property
    def end(self) -> int:
        """Samples made since the start of the call."""
        return self.first + self._used

    @property
    def size_bytes(self) -> int:
        return self._buffer.nbytes

    def extend(self, source: Float32) -> None:
        self._append(self._resampler.resample_chunk(source) if self._resampler else source)

    def finish(self) -> None:
        if self._resampler:
            self._append(self._resampler.resample_chunk(np.empty(0, np.float32), last=True))
        self._append(np.zeros(-self.end % WINDOW_SAMPLES, np.float32))

    def read(self, start: int, count: int) -> Float32:
        """``count`` samples from ``start``; zeros where they are gone."""
        kept = self.clip(start, start + count)
        return np.concatenate((np.zeros(count - len(kept), np.float32), kept))

    def clip(self, start: int, end: int) -> Float32:
        low = max(start - self.first, 0)
        high = min(end - self.first, self._used)
        return to_float32(self._buffer[low : max(low, high)])

    def _append(self, samples: Float32) -> None:
        if self._used + len(samples) > len(self._buffer):
            self._make_room(len(samples))
        self._buffer[self._used : self._used + len(samples)] = to_int16(samples)
        self._used += len(samples)

    def _make_room(self, count: int) -> None:
        """Forget what is older than retained, then grow; an eighth of slack keeps this rare."""
        kept = self._buffer[max(0, self._used - self._retain) : self._used]
        self.first = self.end - len(kept)
        self._used = len(kept)
        self._buffer = np.empty((self._used + count) * 9 // 8 + SAMPLE_RATE_HZ, np.int16)
        self._buffer[: self._used] = kept


def to_int16(samples: Float32) -> Int16:
    """Samples of -1..1 in 16 bits; what is beyond full scale is cut off."""
    return np.clip(np.round(samples * np.float32(FULL_SCALE)), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def to_float32(samples: Int16) -> Float32:
    """Reverse of ``to_int16``, a copy."""
    return np.divide(samples, FULL_SCALE, dtype=np.float32)


def _resampler(source_rate_hz: int) -> soxr.ResampleStream | None:
    """A streaming resampler, or None at 16 kHz.

    The variable-rate engine is a plain polyphase filter: it answers with a constant delay of 10-30 ms, where the
    fixed-rate engine works in blocks and holds back up to 115 ms at 8 kHz.
    """
    if source_rate_hz == SAMPLE_RATE_HZ:
        return None
    return soxr.ResampleStream(source_rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ", vr=True)
