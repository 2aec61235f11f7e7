"""Audio onto the line of samples: each exactly once, in order, whatever is sent twice, late or not at all.

Offsets are the truth. What was already taken is dropped, overlaps are trimmed. Audio beyond a hole is dropped too and
asked for again, once: the peer goes back to the offset named and sends on from there, exactly as after a resume. A
socket keeps order, so a hole means that the peer itself has lost something, and nothing needs to be held here for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from copilot.errors import RemoteProtocolError
from copilot.events import AudioMissed, AudioReceived
from copilot.wire.messages import AudioNack

HOLE_PATIENCE_S = 60
"""Seconds of audio dropped behind one unanswered hole before the peer is told that it is broken."""


@dataclass
class Counters:
    """Samples (per channel) and frames that did not become audio, and why."""

    duplicate_samples: int = 0
    beyond_hole_samples: int = 0
    paused_samples: int = 0
    stale_frames: int = 0


class Placement:
    """Where the next sample belongs. ``block_bytes``: one sample of every channel."""

    def __init__(self, block_bytes: int, rate_hz: int, expect: int, counters: Counters) -> None:
        self.expect = expect
        self._block_bytes = block_bytes
        self._patience = HOLE_PATIENCE_S * rate_hz
        self._counters = counters
        self._nacked = False
        self._dropped = 0

    def place(self, offset: int, payload: bytes) -> AudioReceived | AudioNack | None:
        """Take audio; the answer is what is new of it, or where to go back to, or nothing.

        Raises RemoteProtocolError: ``audio.odd_bytes``, ``audio.hole_ignored``.
        """
        samples, rest = divmod(len(payload), self._block_bytes)
        if rest:
            raise RemoteProtocolError(
                "audio.odd_bytes",
                f"{len(payload)} bytes are not a whole number of {self._block_bytes}-byte interleaved samples",
            )
        if offset > self.expect:
            return self._beyond(offset, samples)
        known = self._advance(offset, samples)
        if known is None:
            return None
        return AudioReceived(offset=offset + known, payload=payload[known * self._block_bytes :])

    def gap(self, offset: int, samples: int) -> AudioMissed | AudioNack | None:
        """Take the peer's word that these samples are lost for good. Raises as ``place``."""
        if offset > self.expect:
            return self._beyond(offset, 0)
        known = self._advance(offset, samples)
        if known is None:
            return None
        return AudioMissed(offset=offset + known, samples=samples - known)

    def _advance(self, offset: int, samples: int) -> int | None:
        """Move on; the number of leading samples known already, or None when all of them are."""
        known = min(samples, self.expect - offset)
        self._counters.duplicate_samples += known
        if known == samples:
            return None
        self.expect = offset + samples
        self._nacked = False
        self._dropped = 0
        return known

    def _beyond(self, offset: int, samples: int) -> AudioNack | None:
        self._counters.beyond_hole_samples += samples
        self._dropped += samples
        if self._dropped > self._patience:
            raise RemoteProtocolError(
                "audio.hole_ignored", f"still waiting for sample {self.expect}, asked for with `audio.nack`"
            )
        if self._nacked:
            return None
        self._nacked = True
        return AudioNack(offset=self.expect, samples=offset - self.expect)
