"""G.711 by table: mu-law and A-law bytes to 16-bit samples and back (ITU-T G.711, 1988)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Int16 = NDArray[np.int16]

MULAW_BIAS = 33
"""Added to a 14-bit magnitude so that every mu-law segment begins at a power of two."""
MULAW_CLIP = 8_158


def decode_mulaw(payload: bytes) -> Int16:
    """One 16-bit sample per byte."""
    return _MULAW[np.frombuffer(payload, np.uint8)]


def decode_alaw(payload: bytes) -> Int16:
    """One 16-bit sample per byte."""
    return _ALAW[np.frombuffer(payload, np.uint8)]


def encode_mulaw(samples: Int16) -> bytes:
    """One byte per 16-bit sample."""
    value = samples.astype(np.int32) >> 2
    magnitude = np.minimum(np.abs(value), MULAW_CLIP) + MULAW_BIAS
    segment = _bit_length(magnitude >> 6)
    mantissa = (magnitude >> (segment + 1)) & 0x0F
    code = (segment << 4) | mantissa | np.where(value < 0, 0x80, 0)
    return bytes((~code & 0xFF).astype(np.uint8))


def encode_alaw(samples: Int16) -> bytes:
    """One byte per 16-bit sample."""
    value = samples.astype(np.int32) >> 3
    magnitude = np.where(value < 0, -value - 1, value)
    segment = _bit_length(magnitude >> 5)
    mantissa = (magnitude >> np.maximum(segment, 1)) & 0x0F
    code = (segment << 4) | mantissa | np.where(value < 0, 0, 0x80)
    return bytes((code ^ 0x55).astype(np.uint8))


def _bit_length(values: NDArray[np.int32]) -> NDArray[np.int32]:
    """Binary digits of each value, 0..7."""
    return np.searchsorted(1 << np.arange(7), values, side="right").astype(np.int32)


def _mulaw_table() -> Int16:
    code = ~np.arange(256) & 0xFF
    magnitude = ((((code & 0x0F) << 1) + MULAW_BIAS) << ((code & 0x70) >> 4)) - MULAW_BIAS
    return (np.where(code & 0x80, -magnitude, magnitude) << 2).astype(np.int16)


def _alaw_table() -> Int16:
    code = np.arange(256) ^ 0x55
    segment = (code & 0x70) >> 4
    step = ((code & 0x0F) << 4) + 8
    magnitude = np.where(segment == 0, step, (step + 0x100) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


_MULAW = _mulaw_table()
_ALAW = _alaw_table()
