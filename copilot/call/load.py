"""What a call does without while recognition cannot keep up. It learns of it by events, so a replay does the same."""

from __future__ import annotations

from copilot.events import LOAD_STAGES, LoadStage, ServiceDegraded
from copilot.speech.effort import Effort, effort_without


class Load:
    """The ``LOAD_STAGES`` given up for one call, in their order."""

    def __init__(self) -> None:
        self.stages: tuple[LoadStage, ...] = ()
        self.unheard: tuple[int, int] | None = None
        """From when to when (media ms) nothing was recognised, if that has just ended."""
        self._deaf_from_ms: int | None = None

    def told(self, event: ServiceDegraded, settled_ms: int, position_ms: int) -> bool:
        """Take what the shell says; False when it is about something else.

        Media time: everything before ``settled_ms`` was heard, the call is at ``position_ms``.
        """
        self.unheard = None
        if event.stage not in LOAD_STAGES:
            return False
        before = {*self.stages} - {event.stage}
        without = before if event.restored else {*before, event.stage}
        self.stages = tuple(stage for stage in LOAD_STAGES if stage in without)
        if "record_only" not in self.stages:
            if self._deaf_from_ms is not None and self._deaf_from_ms < position_ms:
                self.unheard = (self._deaf_from_ms, position_ms)
            self._deaf_from_ms = None
        elif self._deaf_from_ms is None:
            self._deaf_from_ms = settled_ms
        return True

    @property
    def effort(self) -> Effort:
        """What recognition there is."""
        return effort_without(self.stages)

    @property
    def is_semantic(self) -> bool:
        """Whether cues may ask for the meaning of what was said."""
        return "semantic_off" not in self.stages

    def heard_ms(self, settled_ms: int) -> int:
        """Media time up to which everything said was heard: it stands still while nothing is recognised.

        So nothing is called missing or overdue that may have been said meanwhile; afterwards ``unheard`` counts for
        no deadline.
        """
        return settled_ms if self._deaf_from_ms is None else min(settled_ms, self._deaf_from_ms)
