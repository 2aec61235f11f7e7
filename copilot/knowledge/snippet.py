"""An answer as a card shows it: a headline and at most three short lines of plain text."""

from __future__ import annotations

import unicodedata

from copilot.events import Snippet
from copilot.knowledge.index import Answer
from copilot.language.normalise import is_chinese

LINES = 3
LINE_CHARACTERS, LINE_HAN = 100, 48
HEADLINE_CHARACTERS, HEADLINE_HAN = 72, 28


def snippet(answer: Answer) -> Snippet:
    """The heading, the lines nearest to the question, and where they stand."""
    passage = answer.passage
    return Snippet(
        headline=_short(passage.heading, HEADLINE_CHARACTERS, HEADLINE_HAN),
        lines=tuple(_short(line, LINE_CHARACTERS, LINE_HAN) for line in answer.lines[:LINES]),
        source=passage.source or passage.heading,
    )


def _short(text: str, characters: int, han: int) -> str:
    """One line, cut at a word where it must be; a Chinese character is as wide as two letters."""
    line = " ".join("".join(" " if unicodedata.category(each) == "Cc" else each for each in text).split())
    most = han if is_chinese(line) else characters
    if len(line) <= most:
        return line
    cut = line[: most - 1]
    space = cut.rfind(" ")
    return (cut[:space] if space > most // 2 else cut).rstrip(" ,;:，；：") + "…"
