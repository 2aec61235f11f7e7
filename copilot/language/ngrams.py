"""Short runs of words, characters and syllables as bucket numbers: what a linear model needs of the wording.

English: runs of one to three words and of three to five characters of each word. Chinese: runs of one to three
characters and of one to three syllables without their tones, so that a homophone still resembles what was meant.
Text is taken apart by ``normalise`` first: contractions, fillers, stutters and numbers are dealt with there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from zlib import crc32

from copilot.language.normalise import Normal

BUCKETS = 1 << 14
"""Runs share this many buckets per language; two that collide are told apart by their neighbours."""
GROUPS = 2
"""Views of one text; each weighs the same however many runs it has."""
MAX_TOKENS = 64
"""Longer texts are cut here: some 25 s of speech."""
EDGE = "\x02"
"""The start and the end of the text: "no" alone is not the "no" of "no problem"."""
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def runs(normal: Normal, language: str) -> tuple[tuple[int, ...], ...]:
    """The bucket numbers (0 <= bucket < ``BUCKETS``) of a text, each once, ascending, for each of ``GROUPS`` views.

    ``language`` is en or zh. A text without words has no runs.
    """
    words = _plain(normal.words)
    if language == "zh":
        views = (_buckets(_grams("c", words)), _buckets(_grams("p", _plain(normal.syllables))))
    else:
        views = (_buckets(_grams("w", words)), {bucket for word in words for bucket in _pieces(word)})
    return tuple(tuple(sorted(view)) for view in views)


def _buckets(grams: Iterable[str]) -> set[int]:
    return {crc32(gram.encode()) % BUCKETS for gram in grams}


def _plain(words: Sequence[str]) -> list[str]:
    """Numbers are all alike: it matters that there is one, not which."""
    return ["0" if _NUMBER.fullmatch(word) else word for word in words[:MAX_TOKENS]]


def _grams(kind: str, words: Sequence[str]) -> list[str]:
    """Runs of one, two and three. The edges count as words, but are no run by themselves."""
    if not words:
        return []
    framed = [EDGE, *words, EDGE]
    one = [f"{kind}1{word}" for word in words]
    two = [f"{kind}2{first} {second}" for first, second in pairwise(framed)]
    three = [f"{kind}3{a} {b} {c}" for a, b, c in zip(framed, framed[1:], framed[2:], strict=False)]
    return one + two + three


@lru_cache(maxsize=8192)
def _pieces(word: str) -> tuple[int, ...]:
    """The buckets of a word's runs of characters; people use the same few thousand words."""
    framed = f"<{word}>"
    runs = (framed[at : at + length] for length in (3, 4, 5) for at in range(len(framed) - length + 1))
    return tuple(_buckets(f"l{run}" for run in runs))
