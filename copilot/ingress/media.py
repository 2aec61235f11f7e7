"""Which audio is accepted."""

from __future__ import annotations

from copilot.errors import RemoteProtocolError
from copilot.events import MediaFormat
from copilot.wire.messages import MediaHeader

SAMPLE_RATES_HZ = (8_000, 16_000, 24_000, 48_000)
SAMPLE_BYTES = {"pcm_s16le": 2, "mulaw": 1, "alaw": 1}
MAX_CHANNELS = 2
SUPPORTED = "pcm_s16le, mulaw or alaw; 8000, 16000, 24000 or 48000 Hz; one or two channels of rep and customer"


def media_format(header: MediaHeader) -> MediaFormat:
    """The format a client announced. Raises RemoteProtocolError ``media.unsupported``."""
    channels = header.channels
    if header.sample_rate not in SAMPLE_RATES_HZ:
        raise _unsupported(f"sample rate {header.sample_rate}")
    if not 1 <= len(channels) <= MAX_CHANNELS:
        raise _unsupported(f"{len(channels)} channels")
    if len(set(channels)) < len(channels):
        raise _unsupported(f"two channels of the {channels[0]}")
    return MediaFormat(encoding=header.encoding, sample_rate_hz=header.sample_rate, channels=channels)


def block_bytes(media: MediaFormat) -> int:
    """Bytes of one sample of every channel: audio is only ever cut between these."""
    return SAMPLE_BYTES[media.encoding] * len(media.channels)


def _unsupported(what: str) -> RemoteProtocolError:
    return RemoteProtocolError(
        "media.unsupported", f"{what} not supported", close_code=4406, hint=f"Supported: {SUPPORTED}."
    )
