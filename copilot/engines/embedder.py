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
TOKEN_STEP = 8
"""Batches are padded to a multiple of this: a sentence then yields the same bits alone as in company."""
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
        spoken = sorted((i for i, ids in enumerate(tokens) if len(ids) > FRAME_TOKENS), key=lambda i: len(tokens[i]))
        for start in range(0, len(spoken), MAX_BATCH):  # neighbours in length share a batch: little padding
            batch = spoken[start : start + MAX_BATCH]
            vectors[batch] = self._run([tokens[i] for i in batch])
        return vectors

    def _run(self, tokens: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        longest = max(map(len, tokens))
        ids = np.zeros((len(tokens), longest + -longest % TOKEN_STEP), np.int64)
        mask = np.zeros(ids.shape, np.float32)
        for row, sentence in enumerate(tokens):
            ids[row, : len(sentence)] = sentence
            mask[row, : len(sentence)] = 1.0
        (vectors,) = self._session.run(["embedding"], {"ids": ids, "mask": mask})
        return np.asarray(vectors, np.float32)
