"""Local agreement: of two successive interims, the leading part they share will not change any more.

After Liu et al. 2020 (Low-latency sequence-to-sequence speech recognition) and whisper_streaming.
"""

from __future__ import annotations

import re

_WORD = re.compile(r"[\u3400-\u9fff]|[^\s\u3400-\u9fff]+")


class Agreement:
    """The interims of one utterance. Committed text only grows, and every shown text begins with it."""

    def __init__(self) -> None:
        self._committed: list[str] = []
        self._previous: list[str] = []

    def observe(self, text: str) -> tuple[str, int]:
        """The text to show for this interim, and how many of its leading characters are committed."""
        words = _words(text)
        kept = len(self._committed)
        words[:kept] = self._committed
        agreed = _agreed(self._previous, words)
        # The last word may still be growing: "discount" was "disc" a moment ago.
        self._committed = words[: max(kept, min(agreed, len(words) - 1))]
        self._previous = words
        return "".join(words).strip(), len("".join(self._committed).strip())


def _words(text: str) -> list[str]:
    """Words with the space before them, so that joining them gives the text again."""
    words = []
    end = 0
    for match in _WORD.finditer(text):
        words.append(text[end : match.end()])
        end = match.end()
    return words


def _agreed(before: list[str], now: list[str]) -> int:
    """Length of the common beginning, punctuation and case aside."""
    count = 0
    for one, other in zip(before, now, strict=False):
        if _bare(one) != _bare(other):
            break
        count += 1
    return count


def _bare(word: str) -> str:
    return "".join(character for character in word.casefold() if character.isalnum())
