"""What a call tells the world, numbered, stamped and encoded, and what it asks of its shell, in order."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from copilot.events import CallEffect, Publish
from copilot.wire.messages import CallMessage

_ENCODER = msgspec.json.Encoder()


def rfc3339(moment: datetime) -> str:
    """UTC with milliseconds, as every timestamp on the wire."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


class Outbox:
    """Gap-free sequence numbers from 1; media position and wall moment on every message.

    What is asked of the shell goes before what is told meanwhile: a model begins to work a little sooner.
    """

    def __init__(self, call_id: str, started_at: str) -> None:
        self._call_id = call_id
        self._started = datetime.fromisoformat(started_at)
        self._asked: list[CallEffect] = []
        self._told: list[Publish] = []
        self.seq = 0
        self.now = 0.0
        self.pos_ms = 0

    def put(self, kind: type[CallMessage], **fields: Any) -> None:
        """Queue one message, stamped with the present moment."""
        self.seq += 1
        emitted_at = rfc3339(self._started + timedelta(seconds=self.now))
        message = kind(seq=self.seq, call_id=self._call_id, pos_ms=self.pos_ms, emitted_at=emitted_at, **fields)
        tag = str(kind.__struct_config__.tag)
        self._told.append(Publish(seq=self.seq, type=tag, message=msgspec.Raw(_ENCODER.encode(message))))

    def ask(self, effects: Iterable[CallEffect]) -> None:
        """Queue work for the shell."""
        self._asked += effects

    def tell_first(self) -> None:
        """What was told so far goes before what is asked from now on."""
        self._asked += self._told
        self._told = []

    def drain(self) -> list[CallEffect]:
        """Everything queued since the last time."""
        self.tell_first()
        drained, self._asked = self._asked, []
        return drained
