"""Questions for a language model: how many, with what words, and what to believe of the answers.

Nothing here waits. A call that gets no answers behaves exactly as one without a model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from copilot.events import Answered, Ask, Card, Frozen, Utterance
from copilot.language.redact import Redacted, redact

BEFORE = 4
"""Utterances given along, so that "yes, exactly" can be understood."""
NEARBY = 12
"""Utterances at the end of the transcript among which those before are looked for."""
MAX_SUGGESTION = 240
PHRASED = frozenset({"objection", "question", "signal", "knowledge", "info"})
"""Kinds of card whose advice is something to say. What must be said is in the playbook word by word."""


class LlmLimits(Frozen, frozen=True, kw_only=True):
    """How often a call may ask; ``suggestions``: also for words to say what a card advises."""

    max_per_call: int = 0
    suggestions: bool = False


class Affirmed(Frozen, frozen=True, kw_only=True):
    """Yes to ``question``, because of characters ``start``..``end`` of the utterance."""

    utterance_id: str
    question: str
    start: int
    end: int


class Suggested(Frozen, frozen=True, kw_only=True):
    """Words for the advice of a card."""

    card_id: str
    text: str


class _Pending(Frozen, frozen=True, kw_only=True):
    safe: Redacted
    utterance_id: str
    question: str
    card_id: str = ""


class Asking:
    """The questions of one call and who waits for which answer."""

    def __init__(self, limits: LlmLimits, next_request: Callable[[], int]) -> None:
        self._left = limits.max_per_call
        self._suggests = limits.suggestions
        self._next_request = next_request
        self._pending: dict[int, _Pending] = {}

    def match(self, questions: Sequence[str], said: Utterance, transcript: Sequence[Utterance]) -> list[Ask]:
        """Ask what a playbook wants to know about an utterance, as far as the budget goes."""
        return [effect for question in questions for effect in self._ask("", question, said, transcript)]

    def phrase(self, card: Card, said: Utterance | None, transcript: Sequence[Utterance]) -> list[Ask]:
        """Ask how the rep could say what a card advises; only for cards that answer words."""
        if not self._suggests or said is None or card.kind not in PHRASED:
            return []
        return self._ask(card.id, "\n".join((card.headline, *card.lines)), said, transcript)

    def answered(self, event: Answered) -> Affirmed | Suggested | None:
        """What an answer is worth: nothing when it failed, says no, or quotes what nobody said."""
        pending = self._pending.pop(event.request_id, None)
        if pending is None or event.error or not event.text:
            return None
        if pending.card_id:
            return Suggested(card_id=pending.card_id, text=" ".join(event.text.split())[:MAX_SUGGESTION])
        found = pending.safe.find(event.text)
        if found is None:
            return None
        return Affirmed(utterance_id=pending.utterance_id, question=pending.question, start=found[0], end=found[1])

    def _ask(self, card_id: str, question: str, said: Utterance, transcript: Sequence[Utterance]) -> list[Ask]:
        if self._left <= 0:
            return []
        self._left -= 1
        request_id, safe = self._next_request(), redact(said.text)
        self._pending[request_id] = _Pending(safe=safe, utterance_id=said.id, question=question, card_id=card_id)
        earlier = [
            each
            for each in transcript
            if each.is_final and each.text and (each.start_ms, each.id) < (said.start_ms, said.id)
        ]
        return [
            Ask(
                request_id=request_id,
                kind="phrase" if card_id else "match",
                question=question,
                speaker=said.speaker,
                said=safe.text,
                before=tuple((each.speaker, redact(each.text).text) for each in earlier[-BEFORE:]),
            )
        ]
