"""Which utterances have a better text than was told live, and which words of them must stay."""

from __future__ import annotations

from copilot.call.render import is_told
from copilot.call.thinking import Thought
from copilot.cues.engine import CardChange
from copilot.events import Evidence, Heard, Signal, StepChanged, Utterance
from copilot.language.quotes import find_quote


class Revisions:
    """Keeps the second readings of a call, and the quotes that findings, steps and cards point at.

    What was found live stands on the words it was found in. A second reading that no longer holds them is not taken:
    otherwise a call could show a card for something that, by its own transcript, nobody said.
    """

    def __init__(self) -> None:
        self._quotes: dict[str, set[str]] = {}
        self._readings: dict[str, Heard] = {}

    def cited(self, thought: Thought) -> None:
        """Something was concluded; remember from which words."""
        if (evidence := _evidence(thought)) and evidence.quote:
            self._quotes.setdefault(evidence.utterance_id, set()).add(evidence.quote)

    def take(self, heard: Heard, live: Utterance | None) -> Utterance | None:
        """The utterance with its second reading, or None when it keeps its live text."""
        if live is None or not self._holds(heard, live):
            return None
        self._readings[heard.utterance_id] = heard
        return self.standing(live)

    def standing(self, live: Utterance) -> Utterance:
        """An utterance as it is to be read now."""
        heard = self._readings.get(live.id)
        if heard is None or not self._holds(heard, live):
            return live
        return Utterance(
            id=live.id,
            speaker=live.speaker,
            start_ms=live.start_ms,
            end_ms=live.end_ms,
            text=heard.text,
            language=heard.language,
            committed=len(heard.text),
            confidence=heard.confidence,
            words=heard.words,
        )

    def _holds(self, heard: Heard, live: Utterance) -> bool:
        """Quotes of interim text that the final did not hold either bind nobody."""
        quotes = self._quotes.get(live.id, ())
        return all(find_quote(heard.text, quote) for quote in quotes if find_quote(live.text, quote))


def _evidence(thought: Thought) -> Evidence | None:
    if isinstance(thought, CardChange):
        return thought.card.trigger
    if isinstance(thought, Signal):
        return thought.evidence if is_told(thought) else None
    return thought.evidence if isinstance(thought, StepChanged) else None
