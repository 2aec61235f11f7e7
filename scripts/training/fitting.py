"""The head's arithmetic: features, a closed-form fit, calibration, and operating points within a budget."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.linalg
import scipy.sparse
import scipy.special

from copilot.engines.embedder import Embedder
from copilot.engines.intents import HEAD_RUNS, features
from copilot.language.normalise import normalise
from copilot.signals.examples import stretches

from .corpus import Line

Float32 = npt.NDArray[np.float32]

LANDMARKS = 2048
"""Lines that others are likened to, half of them in each language: figures are those of the exact kernel, in 2 MB."""
WIDTH = 3.0
"""exp(-WIDTH |x - y|^2 / 2): how far the likeness of two vectors of length 1 reaches."""
VECTOR_WEIGHT = 6.0
"""Likeness of vectors against likeness of runs (1 for each view)."""
RIDGE = 1.0
JITTER = 1e-3
"""Keeps landmarks that nearly repeat each other from weighing thousands."""


@dataclass(frozen=True)
class Bend:
    """Nystroem's approximation of a Gaussian kernel: ``landmarks`` [LANDMARKS, 512] in float16, as they are shipped.

    Lines are only compared with landmarks, whose labels play no part: an author left out may be among them.
    """

    landmarks: npt.NDArray[np.float16]
    whiten: Float32

    @classmethod
    def choose(cls, lines: Sequence[Line], encoder: Embedder) -> "Bend":
        """Landmarks evenly spaced over the corpus, so that every author and label has its part."""
        chosen: list[str] = []
        for language in ("en", "zh"):
            texts = [line.text for line in lines if line.language == language]
            at = np.linspace(0, len(texts) - 1, LANDMARKS // 2).astype(int)
            chosen += [texts[i] for i in at]
        landmarks = encoder.encode(chosen).astype(np.float16)
        known = landmarks.astype(np.float32)
        values, axes = np.linalg.eigh(_near(known, known).astype(np.float64) + JITTER * np.eye(LANDMARKS))
        return cls(landmarks, (axes / np.sqrt(values)).astype(np.float32) * np.float32(VECTOR_WEIGHT**0.5))

    def __call__(self, vectors: Float32) -> Float32:
        return np.asarray(_near(vectors, self.landmarks.astype(np.float32)) @ self.whiten, np.float32)


def _near(vectors: Float32, others: Float32) -> Float32:
    return np.asarray(np.exp(WIDTH * (vectors @ others.T - 1)), np.float32)


@dataclass(frozen=True)
class Texts:
    """Lines as features, one row for each text they are taken by.

    Row ``whole`` stands for a line in training; rows ``heard`` are what the listener asks about: ``owner`` says whose.
    """

    lines: Sequence[Line]
    whole: npt.NDArray[np.intp]
    heard: npt.NDArray[np.intp]
    owner: npt.NDArray[np.intp]
    waves: Float32
    runs: scipy.sparse.csr_matrix

    def best(self, scores: Float32) -> Float32:
        """The highest score of what is heard of each line; ``scores`` has those of all rows."""
        found = np.full((len(self.lines), scores.shape[1]), -np.inf, np.float32)
        np.maximum.at(found, self.owner, scores[self.heard])
        return found


def heard(line: Line) -> list[str]:
    """What the listener asks the head about: nothing at all of a line without words."""
    spans = stretches(normalise(line.text, line.language), 1)  # type: ignore[arg-type]
    return [line.text[start:end] for start, end in spans]


def whole(line: Line) -> str:
    """The line from its first word to its last, as the listener cuts it."""
    tokens = normalise(line.text, line.language).tokens  # type: ignore[arg-type]
    return line.text[tokens[0].start : tokens[-1].end] if tokens else ""


def prepare(lines: Sequence[Line], encoder: Embedder, bend: Bend) -> Texts:
    """Encode lines of one language."""
    wholes, parts = [whole(line) for line in lines], [heard(line) for line in lines]
    texts = list(dict.fromkeys([*wholes, *(text for group in parts for text in group)]))
    row_of = {text: row for row, text in enumerate(texts)}
    ids, weights = features(texts, lines[0].language)
    row, column = np.nonzero(weights)
    table = scipy.sparse.csr_matrix(
        (weights[row, column], (row, ids[row, column])), shape=(len(texts), HEAD_RUNS), dtype=np.float32
    )
    return Texts(
        lines,
        whole=np.array([row_of[text] for text in wholes]),
        heard=np.array([row_of[text] for group in parts for text in group]),
        owner=np.repeat(np.arange(len(lines)), [len(group) for group in parts]),
        waves=bend(encoder.encode(texts)),
        runs=table,
    )


def truth(lines: Sequence[Line], labels: Sequence[str]) -> Float32:
    return np.array([[label in line.labels for label in labels] for line in lines], np.float32).reshape(
        len(lines), len(labels)
    )


def likeness(texts: Texts, rows: npt.NDArray[np.intp], others: npt.NDArray[np.intp]) -> Float32:
    """The kernel between rows: bent vectors, runs, and 1 for the bias."""
    spoken = (texts.runs[rows] @ texts.runs[others].T).toarray()
    return np.asarray(texts.waves[rows] @ texts.waves[others].T + spoken + 1, np.float32)


def inverse(kernel: Float32) -> Float32:
    """Of the ridge: times the targets, it is a weight for each training line (ridge regression in its dual form)."""
    ridge = kernel.copy()
    ridge[np.diag_indices(len(ridge))] += RIDGE
    factor, _ = scipy.linalg.cho_factor(ridge, lower=True, overwrite_a=True, check_finite=False)
    found, failed = scipy.linalg.lapack.spotri(factor, lower=True, overwrite_c=True)
    if failed:
        raise np.linalg.LinAlgError("the kernel is not positive")
    lower = np.tril(found)
    return np.asarray(lower + np.tril(found, -1).T, np.float32)


@dataclass(frozen=True)
class Ridge:
    """A solved ridge: ``kernel`` [rows, lines], the ``inverse`` of its square part, ``weights`` [lines, labels]."""

    texts: Texts
    kernel: Float32
    inverse: Float32
    weights: Float32

    @classmethod
    def solve(cls, texts: Texts, wanted: Float32) -> "Ridge":
        kernel = likeness(texts, np.arange(len(texts.waves)), texts.whole)
        inverted = inverse(kernel[texts.whole])
        return cls(texts, kernel, inverted, inverted @ (wanted * 2 - 1))

    def left_out_scores(self, authors: Sequence[str]) -> Float32:
        """Each line's best score by a head that saw nothing of its author; 0 for lines of other ``authors``.

        One inverse serves all: without the lines S the weights are a[rest] - G[rest, S] G[S, S]^-1 a[S].
        """
        scores = np.zeros_like(self.weights)
        names = np.array([line.author for line in self.texts.lines])
        for author in authors:
            own = names == author
            block = self.inverse[np.ix_(own, own)].astype(np.float64)
            gone = np.linalg.solve(block, self.weights[own].astype(np.float64))
            rest = self.weights - (self.inverse[:, own] @ gone).astype(np.float32)
            rest[own] = 0
            scores[own] = self.texts.best(self.kernel @ rest)[own]
        return scores


@dataclass(frozen=True)
class Linear:
    """The head in primal form: scores are ``waves @ on_waves + runs @ on_runs + bias``."""

    on_waves: Float32
    on_runs: Float32
    bias: Float32

    @classmethod
    def of(cls, ridge: Ridge) -> "Linear":
        waves, runs = ridge.texts.waves[ridge.texts.whole], ridge.texts.runs[ridge.texts.whole]
        return cls(waves.T @ ridge.weights, np.asarray(runs.T @ ridge.weights, np.float32), ridge.weights.sum(axis=0))

    def score(self, texts: Texts) -> Float32:
        return texts.best(np.asarray(texts.waves @ self.on_waves + texts.runs @ self.on_runs + self.bias, np.float32))

    def calibrated(self, slopes: Float32, offsets: Float32) -> "Linear":
        """The same with scores that are log odds."""
        return Linear(self.on_waves * slopes, self.on_runs * slopes, self.bias * slopes + offsets)


def calibrate(scores: Float32, wanted: Float32) -> tuple[Float32, Float32]:
    """Platt's slope and offset per label, by Newton's method, with his targets that keep off 0 and 1."""
    slopes, offsets = [], []
    for score, want in zip(scores.T.astype(np.float64), wanted.T, strict=True):
        positive, negative = want.sum(), len(want) - want.sum()
        target = np.where(want > 0, (positive + 1) / (positive + 2), 1 / (negative + 2))
        design = np.stack([score, np.ones_like(score)], axis=1)
        at = np.array([1.0, 0.0])
        for _ in range(50):
            chance = 1 / (1 + np.exp(-design @ at))
            curve = design.T @ (design * (chance * (1 - chance))[:, None]) + 1e-6 * np.eye(2)
            at = at - np.linalg.solve(curve, design.T @ (chance - target))
        slopes.append(at[0])
        offsets.append(at[1])
    return np.array(slopes, np.float32), np.array(offsets, np.float32)


GRID = np.round(np.concatenate([np.arange(0.1, 0.9, 0.02), np.arange(0.9, 0.995, 0.01)]), 3)
SPREAD = 0.3
"""Background lines are counted as if their log odds were so uncertain: a threshold that just misses a few of the lines
at hand does not miss those of other talk."""


def operate(chances: Float32, wanted: Float32, background: Float32, hours: float, budget: float) -> Float32:
    """A threshold per label: the best sum of F1 for which at most ``budget`` background lines an hour give a signal.

    One price for a false signal holds for all labels; it rises until the budget is kept.
    """
    f1 = np.array([[_f1(chances[:, k] >= at, wanted[:, k]) for at in GRID] for k in range(wanted.shape[1])])
    false = np.array([firing(background, at).sum(axis=0) / hours for at in GRID]).T
    for price in np.geomspace(1e-4, 100, 400):
        thresholds = GRID[(f1 - price * false).argmax(axis=1)].astype(np.float32)
        silent = 1 - firing(background, thresholds)
        if (1 - silent.prod(axis=1)).sum() / hours <= budget:
            return thresholds
    return np.full(wanted.shape[1], GRID[-1], np.float32)


def firing(chances: Float32, thresholds: npt.ArrayLike) -> Float32:
    """How likely lines like these pass the thresholds."""
    odds, least = (np.log(at / (1 - at)) for at in (np.clip(chances, 1e-6, 1 - 1e-6), np.asarray(thresholds)))
    return np.asarray(scipy.special.expit((odds - least) / SPREAD), np.float32)


def _f1(fired: npt.NDArray[np.bool_], want: Float32) -> float:
    return float(2 * (fired * want).sum() / max(1.0, fired.sum() + want.sum()))
