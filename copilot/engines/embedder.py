"""Sentences as vectors: the multilingual sentence encoder, on one thread."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Tokenizer

from copilot.engines.sessions import open_session
from copilot.errors import ModelError

DIMENSIONS = 512
MAX_TOKENS = 256
"""Longer texts are cut here: some 40 s of speech, more than any utterance."""
MAX_BATCH = 32
REACH = (-2, 2)
"""The neighbours of a token that the encoder hears with it."""
FRAME_TOKENS = 2
"""``<s>`` and ``</s>``: a text of nothing else is empty."""


class Embedder:
    """Encodes texts of English, Chinese or both; close meanings have a high dot product."""

    def __init__(self, tokenizer: Tokenizer, session: onnxruntime.InferenceSession) -> None:
        self._tokenizer = tokenizer
        self._session = session

    @classmethod
    def load(cls, folder: Path) -> Embedder:
        """Load ``tokenizer.json`` and ``encoder.onnx``; raises ModelError ``model.unreadable``."""
        try:
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            session = open_session(folder / "encoder.onnx")
        except Exception as error:  # both libraries raise bare exceptions of many kinds
            raise ModelError(
                "model.unreadable",
                f"cannot load the sentence encoder in {folder}: {error}",
                hint="copilot models fetch",
            ) from error
        tokenizer.no_padding()
        tokenizer.enable_truncation(MAX_TOKENS)
        return cls(tokenizer, session)

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Rows of length 1, [texts, 512]. A blank text is the zero vector: it resembles nothing."""
        vectors = np.zeros((len(texts), DIMENSIONS), np.float32)
        tokens = [self._tokenizer.encode(text).ids for text in texts]
        spoken = [i for i, ids in enumerate(tokens) if len(ids) > FRAME_TOKENS]
        for start in range(0, len(spoken), MAX_BATCH):
            batch = spoken[start : start + MAX_BATCH]
            vectors[batch] = self._run([tokens[i] for i in batch])
        return vectors

    def _run(self, tokens: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        """All texts in one row, each token knowing its text and its neighbours there: nothing is padded."""
        lengths = np.array([len(ids) for ids in tokens])
        ends = np.cumsum(lengths)
        texts = np.repeat(np.arange(len(tokens)), lengths)
        around = np.arange(1, ends[-1] + 1)[:, np.newaxis] + np.arange(REACH[0], REACH[1] + 1)
        around[(around <= (ends - lengths)[texts, np.newaxis]) | (around > ends[texts, np.newaxis])] = 0
        feeds = {
            "ids": np.concatenate(tokens, dtype=np.int64),
            "around": around,
            "texts": texts[:, np.newaxis],
            "lengths": lengths[:, np.newaxis].astype(np.float32),
        }
        (vectors,) = self._session.run(["embedding"], feeds)
        return np.asarray(vectors, np.float32)
