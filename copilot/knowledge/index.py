"""Which passage answers a question: closeness of meaning, and the words they share. No clock, no model, no disk."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from copilot.events import Frozen
from copilot.language.normalise import is_chinese, normalise
from copilot.playbook.model import Passage, Playbook

Vectors = NDArray[np.float32]
Encode = Callable[[Sequence[str]], Vectors]

MAX_ROWS = 8
"""Lines of a passage that are encoded beside its heading."""
WORDS_WEIGHT = 0.25
"""What sharing every word that matters adds to the closeness of meaning."""
WORDS_ALONE = 0.8
"""A question whose meaning nobody worked out must share this much for the same score."""
ALONE = 200_000
"""Multiplications that OpenBLAS does on the calling thread (its limit is 2**18): waking others costs milliseconds on a
busy machine."""
K1, B = 1.2, 0.75
"""BM25 as in Robertson and Zaragoza, The Probabilistic Relevance Framework (2009)."""


class Answer(Frozen, frozen=True, kw_only=True):
    """The passage that answers best, ``score`` 0..1, and its lines with those nearest to the question first."""

    passage: Passage
    score: float
    lines: tuple[str, ...]
    number: int


class Index:
    """Passages, ready to be searched. The same question and vectors always find the same."""

    def __init__(self, passages: Sequence[Passage], encode: Encode | None) -> None:
        self._passages = tuple(passages)
        self._lines = [passage.text.split("\n") for passage in passages]
        texts: list[str] = []
        owners: list[int] = []
        for number, (passage, lines) in enumerate(zip(passages, self._lines, strict=True)):
            rows = [passage.heading, *(f"{passage.heading}. {line}" for line in lines[:MAX_ROWS])]
            texts += rows
            owners += [number] * len(rows)
        self._owners = np.array(owners, np.intp)
        self._starts = np.searchsorted(self._owners, np.arange(len(self._passages)))
        self._rows = _unit(encode(texts)) if encode and texts else None
        bags = [Counter(_terms(f"{passage.heading}\n{passage.heading}\n{passage.text}")) for passage in passages]
        self._weights = _bm25(bags)
        self._rarest = math.log(1 + (len(bags) + 0.5) / 0.5)

    def search(self, question: str, vectors: Vectors) -> Answer | None:
        """The best passage for ``question``; ``vectors`` [stretches, 512] say what it means, or are empty."""
        if not self._passages:
            return None
        words = self._shared(question)
        meant = self._rows is not None and len(vectors) > 0
        scores = self._meaning(vectors) + WORDS_WEIGHT * words if meant else WORDS_ALONE * words
        best = int(scores.argmax())
        return Answer(
            passage=self._passages[best],
            score=float(min(1.0, max(0.0, scores[best]))),
            lines=self._nearest(best, question, vectors),
            number=best,
        )

    def _meaning(self, vectors: Vectors) -> NDArray[np.float64]:
        """For each passage the cosine of its closest line."""
        assert self._rows is not None  # noqa: S101  # the caller looked
        asked = _unit(vectors).T
        step = max(1, ALONE // asked.size)
        starts = range(0, len(self._rows), step)
        closest = np.concatenate([(self._rows[start : start + step] @ asked).max(axis=1) for start in starts])
        return np.maximum.reduceat(closest, self._starts).astype(np.float64)

    def _shared(self, question: str) -> NDArray[np.float64]:
        """For each passage the share (0..1) of the question's words it holds, rare words counting more."""
        scores = np.zeros(len(self._passages))
        wanted = dict.fromkeys(_terms(question))
        most = 0.0
        for term in wanted:
            weights = self._weights.get(term, {})
            most += max(weights.values(), default=self._rarest)
            for number, weight in weights.items():
                scores[number] += weight
        return scores / most if most else scores

    def _nearest(self, number: int, question: str, vectors: Vectors) -> tuple[str, ...]:
        """The lines of a passage, the nearest to the question first, the rest in their order."""
        lines = self._lines[number]
        if self._rows is not None and len(vectors):
            rows = np.flatnonzero(self._owners == number)[1:]
            closeness = (self._rows[rows] @ _unit(vectors).T).max(axis=1).tolist()
        else:
            wanted = set(_terms(question))
            closeness = [float(len(wanted & set(_terms(line)))) for line in lines[:MAX_ROWS]]
        best = max(range(len(closeness)), key=lambda at: closeness[at])
        return (lines[best], *lines[best + 1 :], *lines[:best])


def index_of(playbook: Playbook, encode: Encode | None) -> Index | None:
    """The documents of a playbook, once for all calls that use it; None when it has none."""
    knowledge = playbook.knowledge
    return Index(knowledge.passages, encode) if knowledge and knowledge.passages else None


def _bm25(bags: Sequence[Counter[str]]) -> dict[str, dict[int, float]]:
    """Weight of each term in each passage that has it."""
    average = sum(bag.total() for bag in bags) / max(1, len(bags))
    holding = Counter(term for bag in bags for term in bag)
    weights: dict[str, dict[int, float]] = {}
    for number, bag in enumerate(bags):
        length = 1 - B + B * bag.total() / max(1.0, average)
        for term, count in bag.items():
            rarity = math.log(1 + (len(bags) - holding[term] + 0.5) / (holding[term] + 0.5))
            weights.setdefault(term, {})[number] = rarity * count * (K1 + 1) / (count + K1 * length)
    return weights


def _terms(text: str) -> Iterator[str]:
    """English stems and pairs of Chinese characters, without the words every question has."""
    normal = normalise(text)
    tokens = [stem for word, stem in zip(normal.words, normal.stems, strict=True) if word not in _COMMON]
    han = [is_chinese(token) for token in tokens]
    for at, token in enumerate(tokens):
        if not han[at]:
            yield token
        elif at + 1 < len(tokens) and han[at + 1]:
            yield token + tokens[at + 1]


_COMMON = frozenset(
    """a about all am an and any are as at be been but by can could did do does for from get go had has have he her here
    him how i if in into is it just like long many may me mean much my not of off okay on one or our out really say she
    should so some than that the their them then there they thing this those to too up us want was we well were what
    when where which who why will with would yes you your 你 您 我 他 她 它 们 的 了 吗 呢 吧 啊 嘛 是 这 那 个 就 都 也
    在 有 会 要 能 还 跟 和 把 被 给 对 啥 什 么 怎 多 少 几""".split()  # noqa: SIM905
)


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-9), np.float32)
