"""What a sentence does: objects, asks, agrees, opens, closes, promises. Our own head on the sentence encoder.

Two views of a text are added up: how near its vector is to some two thousand landmarks, so that a linear model can
bend (Williams and Seeger 2001, "Using the Nystroem Method to Speed Up Kernel Machines"), and its runs of words,
characters and syllables (``copilot.language.ngrams``). There is one head for each language and speaker.
``scripts/train_intents`` makes the files from the corpus in ``models/intents``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

import msgspec
import numpy as np
import numpy.typing as npt
import onnxruntime

from copilot.engines.embedder import DIMENSIONS
from copilot.engines.sessions import open_session
from copilot.errors import ModelError
from copilot.events import Frozen, Language
from copilot.language.ngrams import BUCKETS, GROUPS, runs
from copilot.language.normalise import is_chinese, normalise

Float32 = npt.NDArray[np.float32]
Speaker = Literal["rep", "customer"]

CHECKOUT: Final = Path(__file__).parents[2] / "models" / "intents"
PACKAGED: Final = Path(__file__).parents[1] / "data" / "intents"
"""Where a wheel carries the head; a checkout has it in ``models/``."""
HEAD_RUNS: Final = GROUPS * BUCKETS
"""Rows of one head in the table of runs."""


class Head(Frozen, frozen=True, kw_only=True):
    """One language and speaker: what it can tell, and from which probability on it is to be believed."""

    language: Literal["en", "zh"]
    speaker: Speaker
    labels: tuple[str, ...]
    thresholds: dict[str, float]


class Card(Frozen, frozen=True, kw_only=True):
    """``intents.json``: what the graph beside it means. ``heads`` are in the order of the graph's rows."""

    version: str
    heads: tuple[Head, ...]


class Intents:
    """Calibrated probabilities of the shipped labels, for texts in English, Chinese or both."""

    def __init__(self, card: Card, session: onnxruntime.InferenceSession) -> None:
        self.version = card.version
        self._session = session
        self._heads = {(head.language, head.speaker): (row, head) for row, head in enumerate(card.heads)}

    @classmethod
    def load(cls, folder: Path) -> Intents:
        """Load ``intents.json`` and ``intents.onnx``; raises ModelError ``model.unreadable``."""
        try:
            card = msgspec.json.decode((folder / "intents.json").read_bytes(), type=Card)
            session = open_session(folder / "intents.onnx")
        except Exception as error:  # onnxruntime raises a family of its own, without a common base
            raise ModelError(
                "model.unreadable",
                f"cannot load the intents in {folder}",
                hint="These files come with the program: install it again, or run scripts/train_intents.",
            ) from error
        return cls(card, session)

    def labels(self, language: Literal["en", "zh"], speaker: Speaker) -> tuple[str, ...]:
        """What can be told of this speaker in this language."""
        return self._heads[language, speaker][1].labels

    def thresholds(self, language: Literal["en", "zh"], speaker: Speaker) -> Mapping[str, float]:
        """From which probability on a label is to be believed: set for few false signals in unrelated talk.

        They suit the best probability over the whole utterance and its clauses.
        """
        return MappingProxyType(self._heads[language, speaker][1].thresholds)

    def score(
        self, texts: Sequence[str], vectors: Float32, language: Language, speaker: Speaker
    ) -> list[dict[str, float]]:
        """For each text the probability of every label of this speaker.

        ``vectors`` [texts, 512] are the texts' rows from the Embedder. ``auto`` tells each text's language by its
        letters. A text without words has probability 0 of everything.
        """
        if vectors.shape != (len(texts), DIMENSIONS):
            raise ValueError(f"expected vectors [{len(texts)}, {DIMENSIONS}], got {list(vectors.shape)}")
        found: list[dict[str, float]] = [{} for _ in texts]
        spoken = [language if language != "auto" else ("zh" if is_chinese(text) else "en") for text in texts]
        for tongue in sorted(set(spoken)):
            rows = [at for at, name in enumerate(spoken) if name == tongue]
            row, head = self._heads[tongue, speaker]
            chances = self._run([texts[at] for at in rows], vectors[rows], tongue, row)
            for at, chance in zip(rows, chances.tolist(), strict=True):
                found[at] = dict(zip(head.labels, chance, strict=False))
        return found

    def _run(self, texts: Sequence[str], vectors: Float32, language: str, row: int) -> Float32:
        ids, weights = features(texts, language)
        feeds = {"vectors": vectors, "runs": ids + row * HEAD_RUNS, "weights": weights, "head": np.array(row, np.int64)}
        (chances,) = self._session.run(["probability"], feeds)
        return np.asarray(chances * (weights.sum(axis=1, keepdims=True) > 0), np.float32)


def features(texts: Sequence[str], language: str) -> tuple[npt.NDArray[np.int64], Float32]:
    """The runs of the texts as rows of one head's table and their weights, both [texts, most runs].

    Each view of a text has length 1: a long text says no more than a short one. Rows are padded with weight 0.
    """
    views = [runs(normalise(text, language), language) for text in texts]
    longest = max((sum(map(len, groups)) for groups in views), default=0)
    ids = np.zeros((len(texts), max(1, longest)), np.int64)
    weights = np.zeros(ids.shape, np.float32)
    for row, groups in enumerate(views):
        at = 0
        for group, buckets in enumerate(groups):
            end = at + len(buckets)
            ids[row, at:end] = np.array(buckets, np.int64) + group * BUCKETS
            weights[row, at:end] = len(buckets) ** -0.5 if buckets else 0.0
            at = end
    return ids, weights


def shipped() -> Path:
    """The folder of the head that came with this program."""
    return CHECKOUT if (CHECKOUT / "intents.json").exists() else PACKAGED
