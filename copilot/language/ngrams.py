"""Short runs of words, characters and syllables as bucket numbers: what a linear model needs of the wording.

English: runs of one to three words and of three to five characters of each word. Chinese: runs of one to three
characters and of one to three syllables without their tones, so that a homophone still resembles what was meant.
Text is taken apart by ``normalise`` first: contractions, fillers, stutters and numbers are dealt with there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
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
        views = (_grams("c", words, 3), _grams("p", _plain(normal.syllables), 3))
    else:
        views = (_grams("w", words, 3), _pieces(words))
    return tuple(tuple(sorted({crc32(run.encode()) % BUCKETS for run in view})) for view in views)


def _plain(words: Sequence[str]) -> list[str]:
    """Numbers are all alike: it matters that there is one, not which."""
    return ["0" if _NUMBER.fullmatch(word) else word for word in words[:MAX_TOKENS]]


def _grams(kind: str, words: Sequence[str], longest: int) -> Iterator[str]:
    if not words:
        return
    framed = [EDGE, *words, EDGE]
    yield from (f"{kind}1{word}" for word in words)
    for length in range(2, longest + 1):
        yield from (f"{kind}{length}{' '.join(framed[at : at + length])}" for at in range(len(framed) - length + 1))


def _pieces(words: Sequence[str]) -> Iterator[str]:
    for word in words:
        framed = f"<{word}>"
        for length in (3, 4, 5):
            yield from (f"l{framed[at : at + length]}" for at in range(len(framed) - length + 1))
