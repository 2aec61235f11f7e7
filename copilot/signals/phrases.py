"""Finding a phrase in a text: whole words in order, with gaps where the author wrote ``...``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from copilot.events import Language
from copilot.language.normalise import Normal, normalise
from copilot.playbook.model import Phrase

_LAYER = {"exact": "words", "stem": "stems", "pinyin": "syllables"}


class Pattern:
    """One phrase of a playbook, ready to be looked for."""

    def __init__(self, phrase: str, match: str, gap: int, language: Language) -> None:
        self.phrase = phrase
        self._gap = gap
        self._layer = _LAYER[match]
        parts = (self._units(normalise(part, language)) for part in phrase.split("..."))
        self._parts = [part for part in parts if part]

    def find(self, normal: Normal) -> Iterator[tuple[int, int]]:
        """Offsets (start, end) of each place where the phrase is said, never across a full stop."""
        units = self._units(normal)
        if self._parts and self._parts[0][0] in units:
            for first in range(len(units)):
                last = self._end(units, normal, first)
                if last is not None:
                    yield normal.tokens[first].start, normal.tokens[last].end

    def _units(self, normal: Normal) -> Sequence[str]:
        units: Sequence[str] = getattr(normal, self._layer)
        return units

    def _end(self, units: Sequence[str], normal: Normal, first: int) -> int | None:
        """The index of the phrase's last token when it begins at ``first``."""
        if not _same(units, first, self._parts[0]):
            return None
        at = first + len(self._parts[0])
        for part in self._parts[1:]:
            begin = next((at + skip for skip in range(self._gap + 1) if _same(units, at + skip, part)), None)
            if begin is None:
                return None
            at = begin + len(part)
        return at - 1 if normal.tokens[at - 1].sentence == normal.tokens[first].sentence else None


def _same(units: Sequence[str], at: int, part: Sequence[str]) -> bool:
    return tuple(units[at : at + len(part)]) == tuple(part)


class Phrases:
    """A ``phrase`` leaf, ready to be looked for."""

    def __init__(self, phrase: Phrase, language: Language) -> None:
        def ready(texts: Sequence[str]) -> tuple[Pattern, ...]:
            return tuple(Pattern(text, phrase.match, phrase.gap, language) for text in texts)

        self._any, self._all, self._exclude = ready(phrase.any), ready(phrase.all), ready(phrase.exclude)

    def find(self, normal: Normal) -> Iterator[tuple[int, int, str]]:
        """(start, end, phrase) of what was heard; nothing when an ``all`` is missing or an ``exclude`` is heard."""
        if any(next(pattern.find(normal), None) for pattern in self._exclude):
            return
        needed = [next(pattern.find(normal), None) for pattern in self._all]
        if None in needed:
            return
        for pattern in self._any or self._all[:1]:
            for start, end in pattern.find(normal):
                yield start, end, pattern.phrase
