"""Finding in a text what was quoted from an earlier version of it."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import Final

ALIKE: Final = 0.75
"""Share of a quote's letters that must be there still, in their order."""
SENTENCE_WORDS: Final = 5
SENTENCE_CHARACTERS: Final = 7
"""Words, or Chinese characters, from which a quote is a sentence, which may be worded a little otherwise."""


def find_quote(text: str, quote: str) -> tuple[int, int] | None:
    """Where ``quote`` stands in ``text`` (start, end), ignoring case, punctuation and spaces; None if nowhere.

    A quote as long as a sentence is also found where most of its letters stand in a row: sentences are quoted for
    what they mean. Of a shorter one every letter counts.
    """
    if quote.strip() and (start := text.find(quote.strip())) >= 0:
        return start, start + len(quote.strip())
    places = [index for index, char in enumerate(text) if char.isalnum()]
    wanted, there = _fold(quote), _fold(text)
    start = there.find(wanted) if wanted else -1
    if start >= 0:
        return places[start], places[start + len(wanted) - 1] + 1
    about = _about(there, wanted) if _is_sentence(quote) else None
    return about and _whole_words(text, places[about[0]], places[about[1] - 1] + 1)


def _is_sentence(quote: str) -> bool:
    han = sum("\u3400" <= character <= "\u9fff" for character in quote)
    return han >= SENTENCE_CHARACTERS or len(quote.split()) >= SENTENCE_WORDS


def _about(text: str, wanted: str) -> tuple[int, int] | None:
    """Where most of ``wanted`` stands, in little more room than it takes."""
    matcher = SequenceMatcher(None, text, wanted, autojunk=False)
    blocks = [block for block in matcher.get_matching_blocks() if block.size]
    if not blocks:
        return None
    start, end = blocks[0].a, blocks[-1].a + blocks[-1].size
    same = sum(block.size for block in blocks)
    return (start, end) if same >= ALIKE * max(len(wanted), end - start) else None


def _whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    """A quote does not begin or end inside a word (of an alphabet)."""
    while start > 0 and text[start - 1].isascii() and text[start - 1].isalnum() and text[start].isalnum():
        start -= 1
    while end < len(text) and text[end].isascii() and text[end].isalnum():
        end += 1
    return start, end


def _fold(text: str) -> str:
    """Letters and digits only; one character stays one character, so that places keep their numbers."""
    return "".join(lower if len(lower := char.lower()) == 1 else char for char in text if char.isalnum())
