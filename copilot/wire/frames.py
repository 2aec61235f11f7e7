"""Binary audio frames: 16 bytes of header, then interleaved samples.

    version u8 = 1 | type u8 = 1 | channel-set u8 = 0 | flags u8 = 0 | epoch u32 | sample offset u64    (big-endian)

The offset counts samples per channel since the start of the call, at the rate of the source. The epoch is that of
``call.started``: a frame left over from an earlier connection carries an older one. Flags are reserved and ignored.
"""

from __future__ import annotations

import struct

import msgspec

from copilot.errors import LocalProtocolError, RemoteProtocolError

HEADER = struct.Struct(">BBBBIQ")
FRAME_VERSION = 1
FRAME_AUDIO = 1
MAX_EPOCH = 2**32 - 1
MAX_OFFSET = 2**64 - 1


class Frame(msgspec.Struct, frozen=True):
    """One audio frame, header read."""

    epoch: int
    offset: int
    payload: bytes


def pack_frame(epoch: int, offset: int, payload: bytes) -> bytes:
    """The bytes of one audio frame."""
    if not (0 <= epoch <= MAX_EPOCH and 0 <= offset <= MAX_OFFSET):
        raise LocalProtocolError("frame.range", f"epoch {epoch} or offset {offset} does not fit the header")
    return HEADER.pack(FRAME_VERSION, FRAME_AUDIO, 0, 0, epoch, offset) + payload


def unpack_frame(data: bytes) -> Frame:
    """Read one audio frame.

    Raises RemoteProtocolError: ``frame.too_short``, ``frame.version``, ``frame.type``, ``frame.channel_set``.
    """
    if len(data) < HEADER.size:
        raise RemoteProtocolError("frame.too_short", f"a frame has a {HEADER.size}-byte header, got {len(data)} bytes")
    version, kind, channel_set, _flags, epoch, offset = HEADER.unpack_from(data)
    if version != FRAME_VERSION:
        raise RemoteProtocolError("frame.version", f"frame version {version}, expected {FRAME_VERSION}")
    if kind != FRAME_AUDIO:
        raise RemoteProtocolError("frame.type", f"frame type {kind}, expected {FRAME_AUDIO} (audio)")
    if channel_set != 0:
        raise RemoteProtocolError("frame.channel_set", f"channel set {channel_set}, expected 0")
    return Frame(epoch, offset, data[HEADER.size :])
