"""Which labels each utterance still under discussion has earned, and when its words arrived."""

from __future__ import annotations

from copilot.events import Signal


class Minutes:
    """Keeps an entry per final utterance until all detectors have answered about it."""

    def __init__(self) -> None:
        self._labels: dict[str, set[str]] = {}
        self._recognised: dict[str, float] = {}

    def open(self, utterance_id: str, now: float) -> None:
        """The final words of an utterance arrived at ``now``."""
        self._labels[utterance_id] = set()
        self._recognised[utterance_id] = now

    def add(self, signal: Signal) -> None:
        """A detector fired on final text."""
        self._labels.setdefault(signal.evidence.utterance_id, set()).add(signal.label)

    def recognised(self, utterance_id: str, now: float) -> float:
        """When the final words arrived; interim words arrive as they are matched."""
        return self._recognised.get(utterance_id, now)

    def close(self, utterance_id: str) -> frozenset[str]:
        """All detectors have answered: the labels of the utterance."""
        self._recognised.pop(utterance_id, None)
        return frozenset(self._labels.pop(utterance_id, ()))
