"""Which cues a call goes without, so that their effect can be measured: the same in every replay of the call."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from copilot.playbook.model import Cue

_LEVELS = 2**64


def held_out(cues: Iterable[Cue], call_id: str) -> frozenset[str]:
    """The ids of the cues whose cards are withheld in this call."""
    return frozenset(cue.id for cue in cues if draw(call_id, cue.id) < cue.hold_out)


def draw(call_id: str, cue_id: str) -> float:
    """A number in [0, 1), evenly spread over calls and independent between cues; nothing but the two ids decides it.

    A larger share therefore keeps every call that a smaller one held out.
    """
    digest = sha256(f"{call_id}\n{cue_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / _LEVELS
