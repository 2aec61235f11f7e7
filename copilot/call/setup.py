"""What a call needs besides its own events, and where its minds come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import msgspec

from copilot.audio.timeline import Timeline
from copilot.call.asking import LlmLimits
from copilot.call.thinking import Thinking
from copilot.config import SpeechSettings
from copilot.events import CallInfo
from copilot.knowledge.index import Index
from copilot.playbook.compile import Plan
from copilot.signals.listener import Prepared


class CallSetup(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a call needs besides its own events. Two calls with equal setups and events behave identically."""

    plan: Plan
    prepared: Prepared
    index: Index | None = None
    llm: LlmLimits = LlmLimits()
    speech: SpeechSettings = SpeechSettings()
    metrics_interval_ms: int = 2_000


class Minds:
    """Makes the minds of a call: the one it begins with, and another each time the roles are swapped.

    ``wall``: media time (ms) -> seconds since the call began at which its sample arrived.
    """

    def __init__(self, info: CallInfo, setup: CallSetup, wall: Callable[[int], float]) -> None:
        self._info = info
        self._setup = setup
        self._wall = wall
        self._card_numbers = count(1)

    def another(self) -> Thinking:
        """A mind that has heard nothing yet. Cards are numbered on from those of the minds before."""
        return Thinking(
            self._setup.plan,
            self._setup.prepared,
            index=self._setup.index,
            call_id=self._info.call_id,
            context=self._info.context,
            wall=self._wall,
            next_card_id=lambda: f"c{next(self._card_numbers)}",
        )


@dataclass(frozen=True)
class Rehearsal:
    """How a call is lived through again from its log alone, to see what its minds are told.

    ``timeline`` takes the place of the sound, ``scored`` counts the ``SpeechScored`` of the log, and ``overhear`` may
    stand before every mind.
    """

    timeline: Timeline
    scored: int
    overhear: Callable[[Thinking], Thinking]
