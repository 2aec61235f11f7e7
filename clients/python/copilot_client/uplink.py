"""What to send next, without a socket: audio and messages in their order, again after a reconnect or a nack."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass
from typing import Any

from copilot_client.errors import ProtocolError
from copilot_client.protocol import Media, audio_frame
from copilot_client.ring import Ring

MAX_FRAME_MS = 200


@dataclass
class _Control:
    """A message that belongs after the audio before sample ``at``; ``number`` is known once it was sent."""

    at: int
    text: str
    number: int = 0


class Uplink:
    """The sending half of one call over any number of connections.

    Every sample is kept until the server has it on disk. A message is kept until the server has answered the ping
    sent right after it, and is sent again on the next connection otherwise: at least once, in order.
    """

    def __init__(self, media: Media, buffer_s: float) -> None:
        self._ring = Ring(media.block_bytes)
        self._media = media
        self._capacity = int(buffer_s * media.sample_rate)
        self._pending: deque[_Control] = deque()
        self._unconfirmed: deque[_Control] = deque()
        self._numbered = 0
        self._ping_due = False
        self._cursor = 0
        self._epoch: int | None = None
        self._frame_samples = 1
        self.lost_samples = 0

    @property
    def end(self) -> int:
        """Samples taken so far."""
        return self._ring.end

    def has_room(self, audio: bytes) -> bool:
        """Whether ``audio`` fits the buffer. A buffer that is empty takes anything."""
        return not len(self._ring) or len(self._ring) + len(audio) // self._media.block_bytes <= self._capacity

    def append(self, audio: bytes) -> None:
        """Take whole samples; what is too old to fit is forgotten and will be declared as a gap."""
        self._ring.append(audio)
        surplus = len(self._ring) - self._capacity
        if surplus > 0:
            self._ring.release(self._ring.start + surplus)
            self.lost_samples += surplus

    def control(self, message: dict[str, Any]) -> None:
        """Send a message after the audio taken so far."""
        self._pending.append(_Control(self._ring.end, json.dumps(message, ensure_ascii=False)))

    def connected(self, epoch: int, expect: int, max_frame_bytes: int) -> None:
        """A connection stands; the server wants audio from ``expect``."""
        if expect > self._ring.end:
            raise ProtocolError(f"the server expects sample {expect}, only {self._ring.end} were recorded")
        self._epoch = epoch
        self._cursor = expect
        payload = max(0, max_frame_bytes - len(audio_frame(0, 0, b"")))
        self._frame_samples = max(
            1, min(payload // self._media.block_bytes, self._media.sample_rate * MAX_FRAME_MS // 1000)
        )
        self._pending.extendleft(reversed(self._unconfirmed))
        self._unconfirmed.clear()
        self._ping_due = False

    def disconnected(self) -> None:
        """The connection is gone: nothing to send until the next one."""
        self._epoch = None

    def next_frame(self) -> str | bytes | None:
        """What to put on the socket now, or None until there is something."""
        if self._epoch is None:
            return None
        if self._ping_due:
            self._ping_due = False
            return json.dumps({"type": "ping", "t": self._numbered})
        if self._pending and self._pending[0].at <= self._cursor:
            return self._send_control()
        if self._cursor < self._ring.start:
            return self._declare_gap()
        limit = min(self._pending[0].at if self._pending else self._ring.end, self._cursor + self._frame_samples)
        if limit <= self._cursor:
            return None
        offset, self._cursor = self._cursor, limit
        return audio_frame(self._epoch, offset, self._ring.read(offset, limit - offset))

    def acked(self, persisted: int) -> None:
        """The server has everything before ``persisted`` on disk."""
        self._ring.release(persisted)

    def nacked(self, offset: int) -> None:
        """The server wants audio again from ``offset``."""
        self._cursor = min(self._cursor, offset)

    def ponged(self, number: object) -> None:
        """The server has taken every message up to ``number``."""
        while isinstance(number, int) and self._unconfirmed and self._unconfirmed[0].number <= number:
            self._unconfirmed.popleft()

    def _send_control(self) -> str:
        control = self._pending.popleft()
        self._numbered += 1
        control.number = self._numbered
        self._unconfirmed.append(control)
        self._ping_due = True
        return control.text

    def _declare_gap(self) -> str:
        offset, self._cursor = self._cursor, self._ring.start
        return json.dumps({"type": "audio.gap", "offset": offset, "samples": self._cursor - offset})
