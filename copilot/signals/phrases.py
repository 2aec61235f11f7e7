"""Finding a phrase in a text: whole words in order, with gaps where the author wrote ``...``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from copilot.events import Language
from copilot.language.normalise import Normal, normalise
from copilot.playbook.model import Phrase

_LAYER = {"exact": "words", "stem": "stems", "pinyin": "syllables"}
MIN_SYLLABLES = 3
"""Shorter phrases are compared exactly even under ``pinyin``: two syllables mean too many things."""


class Pattern:
    """One phrase of a playbook, ready to be looked for."""

    def __init__(self, phrase: str, match: str, gap: int, language: Language) -> None:
        self.phrase = phrase
        self._gap = gap
        normals = [normalise(part, language) for part in phrase.split("...")]
        short = match == "pinyin" and sum(len(normal.tokens) for normal in normals) < MIN_SYLLABLES
        self._layer = "words" if short else _LAYER[match]
        self._parts = [part for part in map(self._units, normals) if part]

    def find(self, normal: Normal) -> Iterator[tuple[int, int]]:
        """Offsets (start, end) of each place where the phrase is said, never across a full stop."""
        units = self._units(normal)
        if not self._parts or self._parts[0][0] not in units:
            return
        for first in range(len(units)):
            last = self._end(units, normal, first)
            if last is not None:
                yield normal.tokens[first].start, normal.tokens[last].end

    def _units(self, normal: Normal) -> tuple[str, ...]:
        units: tuple[str, ...] = getattr(normal, self._layer)
        return units

    def _end(self, units: Sequence[str], normal: Normal, first: int) -> int | None:
        """The index of the phrase's last token when it begins at ``first``."""
        at = first
        for number, part in enumerate(self._parts):
            skips = range(self._gap + 1 if number else 1)
            begin = next((at + skip for skip in skips if units[at + skip : at + skip + len(part)] == part), None)
            if begin is None:
                return None
            at = begin + len(part)
        return at - 1 if normal.tokens[at - 1].sentence == normal.tokens[first].sentence else None


class Phrases:
    """A ``phrase`` leaf, ready to be looked for."""

    def __init__(self, phrase: Phrase, language: Language) -> None:
        def ready(texts: Sequence[str]) -> tuple[Pattern, ...]:
            return tuple(Pattern(text, phrase.match, phrase.gap, language) for text in texts)

        self._any, self._all, self._exclude = ready(phrase.any), ready(phrase.all), ready(phrase.exclude)

    def find(self, normal: Normal) -> Iterator[tuple[int, int, str]]:
        """(start, end, phrase) of what was heard; nothing when an ``all`` is missing or an ``exclude`` is heard."""
        for pattern in self._any or self._all[:1]:
            for start, end in pattern.find(normal):
                if not self._ruled_out(normal):
                    yield start, end, pattern.phrase

    def _ruled_out(self, normal: Normal) -> bool:
        return any(next(pattern.find(normal), None) for pattern in self._exclude) or not all(
            next(pattern.find(normal), None) for pattern in self._all
        )
