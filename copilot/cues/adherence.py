"""Did the rep do what the card asked? Media time only: a slow recogniser never turns a yes into a no.

``adhered``: the expected behaviour came after the card's trigger and within ``within_s`` of the card. ``too_late``: it
came after that, but before ``PATIENCE`` times as long. ``not_adhered``: neither. A call that ends before the time was
up leaves it ``undetermined``.
"""

from __future__ import annotations

from dataclasses import dataclass

from copilot.events import Outcome
from copilot.playbook.model import Cue

PATIENCE = 3
"""How many times ``within_s`` a late answer is still counted as an answer to this card."""


@dataclass(frozen=True)
class Watch:
    """What is expected after one card."""

    card_id: str
    cue_id: str
    trigger_ms: int
    due_ms: int
    late_ms: int


class Adherence:
    """Watches what happens after cards. Every watched card gets at most one outcome."""

    def __init__(self) -> None:
        self._watches: dict[str, Watch] = {}

    def watch(self, card_id: str, cue: Cue, *, trigger_ms: int, pos_ms: int) -> None:
        """The card was shown (or, in shadow, would have been) at ``pos_ms``."""
        if cue.expected:
            within_ms = round(cue.expected.within_s * 1000)
            self._watches[card_id] = Watch(
                card_id, cue.id, trigger_ms, pos_ms + within_ms, pos_ms + PATIENCE * within_ms
            )

    def observe(self, cue_id: str, at_ms: int) -> list[tuple[str, Outcome]]:
        """What the cue expects happened at ``at_ms``."""
        met = [
            watch
            for watch in self._watches.values()
            if watch.cue_id == cue_id and watch.trigger_ms < at_ms <= watch.late_ms
        ]
        return [self._conclude(watch, "adhered" if at_ms <= watch.due_ms else "too_late") for watch in met]

    def tick(self, pos_ms: int) -> list[tuple[str, Outcome]]:
        """Everything said before ``pos_ms`` has been observed."""
        missed = [watch for watch in self._watches.values() if watch.late_ms < pos_ms]
        return [self._conclude(watch, "not_adhered") for watch in missed]

    def finish(self, pos_ms: int) -> list[tuple[str, Outcome]]:
        """The call is over."""
        missed = [watch for watch in self._watches.values() if watch.due_ms < pos_ms]
        self._watches = {watch.card_id: watch for watch in missed}
        return [self._conclude(watch, "not_adhered") for watch in missed]

    def forget(self, card_id: str) -> None:
        """The card should not have been shown: nothing follows from what the rep does."""
        self._watches.pop(card_id, None)

    def forget_all(self) -> None:
        """Whatever was expected came from a wrong idea of the call."""
        self._watches.clear()

    def next_deadline_ms(self) -> int | None:
        """When the next card's patience is over."""
        return min((watch.late_ms + 1 for watch in self._watches.values()), default=None)

    def _conclude(self, watch: Watch, outcome: Outcome) -> tuple[str, Outcome]:
        del self._watches[watch.card_id]
        return watch.card_id, outcome
