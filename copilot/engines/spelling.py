"""What a recogniser's tokens spell: words with times, simplified characters, and whether they repeat themselves."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import cache
from typing import Final

import msgspec
import numpy as np
from faster_whisper.tokenizer import Tokenizer
from numpy.typing import NDArray
from opencc import OpenCC

from copilot.events import Word

FRAMES_PER_SECOND: Final = 50
"""Encoder positions."""


def starts_of(alignments: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """Where each token, and then the end, begins: the first position aligned to it."""
    index, position = np.array(alignments).T
    starts: NDArray[np.int64] = position[np.flatnonzero(np.diff(index, prepend=-1))]
    return starts


def spell(
    tokenizer: Tokenizer, text: list[int], starts: NDArray[np.int64], probabilities: Sequence[float]
) -> tuple[Word, ...]:
    """Words (Chinese: characters) with their times from the cross-attention alignment, as Whisper defines them.

    ``starts``: encoder position at which each token of the text begins, and where the text ends. Punctuation belongs
    to the word before it and takes no time; so does what follows a word without a space.
    """
    spelled, tokens = tokenizer.split_to_word_tokens([*text, tokenizer.eot])
    edges = np.cumsum([0, *map(len, tokens[:-1])])
    times_ms = starts * 1000 // FRAMES_PER_SECOND
    is_spaced = tokenizer.language_code != "zh"
    words: list[Word] = []
    for spelling, first, last in zip(spelled[:-1], edges, edges[1:], strict=False):
        piece = Word(
            text=spelling.strip() if is_spaced else simplified(spelling.strip()),
            start_ms=int(times_ms[first]),
            end_ms=int(times_ms[last]),
            probability=round(float(np.mean(probabilities[first:last])), 3),
        )
        is_punctuation = not any(map(str.isalnum, piece.text))
        if words and (is_punctuation or (is_spaced and not spelling.startswith(" "))):
            words[-1] = _joined(words[-1], piece, is_punctuation)
        elif piece.text:
            words.append(piece)
    return tuple(words)


def _joined(word: Word, piece: Word, is_punctuation: bool) -> Word:
    end_ms = word.end_ms if is_punctuation else piece.end_ms
    return msgspec.structs.replace(word, text=word.text + piece.text, end_ms=end_ms)


def compression_ratio(text: str) -> float:
    """Bytes of the text over bytes of it compressed, as Whisper defines it; 0 for no text."""
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw)) if raw else 0.0


def simplified(text: str) -> str:
    """Chinese in simplified characters."""
    converted: str = _converter().convert(text)
    return converted


@cache
def _converter() -> OpenCC:
    return OpenCC("t2s")
