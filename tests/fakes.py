"""Fakes shared by tests. Not mocks: each does its job, simply."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from copilot.engines.pool import AsrRequest
from copilot.events import SAMPLE_RATE_HZ, Hypothesis, Word


class FakeAsr:
    """A recogniser that hears one word per half second, named by its place: ``w0 w1 w2``.

    It can be held up (``hold`` / ``release``) and made to fail (``failure``), and remembers its batches.
    """

    def __init__(self) -> None:
        self.batches: list[list[AsrRequest]] = []
        self.failure: Exception | None = None
        self.entered = threading.Semaphore(0)
        self._open = threading.Event()
        self._open.set()

    def hold(self) -> None:
        """Let every decode wait until ``release``."""
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    def transcribe(self, requests: Sequence[AsrRequest]) -> list[Hypothesis]:
        self.batches.append(list(requests))
        self.entered.release()
        self._open.wait()
        if self.failure:
            raise self.failure
        return [self._hear(request) for request in requests]

    def _hear(self, request: AsrRequest) -> Hypothesis:
        names = [f"w{index}" for index in range(len(request.samples) * 2 // SAMPLE_RATE_HZ)]
        words = tuple(
            Word(text=name, start_ms=index * 500, end_ms=index * 500 + 400) for index, name in enumerate(names)
        )
        return Hypothesis(
            text=" ".join(names),
            language="en" if request.language == "auto" else request.language,
            words=() if request.kind == "interim" else words,
            avg_logprob=-0.1,
        )


class FakeIntents:
    """A classifier that knows words: the probability of a label is that of the surest of its words in the text.

    ``words``: for each label, its words with the probability each gives. It remembers what it was asked.
    """

    def __init__(self, words: Mapping[str, Mapping[str, float]], least: float = 0.5) -> None:
        self._words = words
        self._least = least
        self.asked: list[tuple[str, ...]] = []

    def score(
        self, texts: Sequence[str], vectors: NDArray[np.float32], language: str, speaker: str
    ) -> list[dict[str, float]]:
        assert len(texts) == len(vectors)
        assert language in {"en", "zh"}
        assert speaker in {"rep", "customer"}
        self.asked.append(tuple(texts))
        return [{label: self._surest(words, text.lower()) for label, words in self._words.items()} for text in texts]

    def thresholds(self, language: str, speaker: str) -> dict[str, float]:
        return dict.fromkeys(self._words, self._least)

    @staticmethod
    def _surest(words: Mapping[str, float], text: str) -> float:
        return max((probability for word, probability in words.items() if word in text), default=0.0)
