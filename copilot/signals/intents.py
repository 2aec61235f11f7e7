"""What the shipped classifier makes of an utterance, asked through a protocol so that no model comes in here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from copilot.events import Frozen, Language, Speaker
from copilot.playbook.model import Intent

INTERIM_MARGIN = 0.1
"""How much surer one must be of words that are still being spoken than of final ones."""


class IntentScorer(Protocol):
    """A classifier of what people mean. Pure: the same texts and vectors always give the same answer."""

    def score(
        self, texts: Sequence[str], vectors: NDArray[np.float32], language: Language, speaker: Speaker
    ) -> Sequence[Mapping[str, float]]:
        """The probability (0..1) of each label, for each text; ``vectors`` are the texts', [texts, 512]."""
        ...

    def thresholds(self, language: Literal["en", "zh"], speaker: Speaker) -> Mapping[str, float]:
        """From which probability each label counts."""
        ...


class Meaning(Frozen, frozen=True, kw_only=True):
    """What one utterance may mean: for each label its stretches, best first, as (probability, start, end)."""

    stretches: Mapping[str, Sequence[tuple[float, int, int]]]
    thresholds: Mapping[str, float]


def understand(
    scorer: IntentScorer,
    text: str,
    spans: Sequence[tuple[int, int]],
    vectors: NDArray[np.float32],
    language: Language,
    speaker: Speaker,
) -> Meaning:
    """Ask about all stretches of an utterance at once. ``vectors`` has a row for each span."""
    spoken: Literal["en", "zh"] = "zh" if language == "zh" else "en"
    scores = scorer.score([text[start:end] for start, end in spans], vectors, spoken, speaker)
    stretches: dict[str, list[tuple[float, int, int]]] = {}
    for (start, end), probabilities in zip(spans, scores, strict=True):
        for label, probability in probabilities.items():
            stretches.setdefault(label, []).append((probability, start, end))
    return Meaning(
        stretches={label: sorted(found, key=_best_first) for label, found in stretches.items()},
        thresholds=scorer.thresholds(spoken, speaker),
    )


def threshold(intent: Intent, meaning: Meaning, *, is_final: bool) -> float:
    """From which probability on an intent counts; of a label nobody knows nothing is ever sure."""
    least = intent.above if intent.above is not None else meaning.thresholds.get(intent.label, 1.0)
    return least if is_final else min(least + INTERIM_MARGIN, (1.0 + least) / 2)


def _best_first(found: tuple[float, int, int]) -> tuple[float, int, int]:
    """The likeliest first; of equals the shortest, which says where it is."""
    probability, start, end = found
    return -probability, end - start, start
