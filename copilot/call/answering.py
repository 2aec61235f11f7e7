"""What the documents say to a customer's question: found once the meaning of the question is known."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from copilot.events import Signal, Utterance
from copilot.knowledge.index import Index
from copilot.knowledge.snippet import snippet
from copilot.playbook.compile import ANSWER, ASKED
from copilot.playbook.model import Playbook

REMEMBERED = 64
"""Questions whose meaning may still be outstanding."""


class Answering:
    """Searches the documents for each question. Without documents there are no answers."""

    def __init__(self, playbook: Playbook, index: Index | None) -> None:
        self._index = index
        self._threshold = playbook.knowledge.threshold if playbook.knowledge else 1.0
        self._asked: OrderedDict[str, Signal] = OrderedDict()

    def note(self, signal: Signal) -> None:
        """Remember a question until its meaning is known."""
        if self._index and signal.label == ASKED and signal.is_final:
            self._asked[signal.evidence.utterance_id] = signal
            while len(self._asked) > REMEMBERED:
                self._asked.popitem(last=False)

    def answer(self, utterance: Utterance, vectors: NDArray[np.float32]) -> list[Signal]:
        """What is known about the utterance's question, if it was one; ``vectors`` may be empty."""
        asked = self._asked.pop(utterance.id, None)
        if asked is None or self._index is None:
            return []
        answer = self._index.search(utterance.text, vectors)
        if answer is None or answer.score < self._threshold:
            return []
        found = snippet(answer)
        return [
            Signal(
                label=ANSWER,
                speaker=asked.speaker,
                evidence=asked.evidence,
                score=answer.score,
                is_final=True,
                detector="knowledge",
                why=f"{found.source} {answer.score:.2f}",
                snippet=found,
            )
        ]
