"""Finding a phrase in a text: whole words in order, with gaps where the author wrote ``...``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

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
        self._parts: list[tuple[str, ...]] = [part for normal in normals if (part := getattr(normal, self._layer))]

    @property
    def layer(self) -> str:
        """What of a text the phrase is looked for in."""
        return self._layer

    @property
    def beginning(self) -> tuple[str, str]:
        """The unit the phrase begins with and the one that must follow it at once; empty where there is none."""
        first, second = (*(self._parts[0] if self._parts else ()), "", "")[:2]
        return first, second

    def end_at(self, normal: Normal, first: int) -> int | None:
        """The index of the phrase's last token when its first is ``first``; never across a full stop."""
        units: tuple[str, ...] = getattr(normal, self._layer)
        at = first
        for number, part in enumerate(self._parts):
            size = len(part)
            for begin in range(at, at + (self._gap + 1 if number else 1)):
                if units[begin : begin + size] == part:
                    at = begin + size
                    break
            else:
                return None
        return at - 1 if normal.tokens[at - 1].sentence == normal.tokens[first].sentence else None


class Phrases:
    """A ``phrase`` leaf, ready to be looked for."""

    def __init__(self, phrase: Phrase, language: Language) -> None:
        def ready(texts: Sequence[str]) -> list[Pattern]:
            return [Pattern(text, phrase.match, phrase.gap, language) for text in texts]

        self._all = ready(phrase.all)
        self._wanted = _by_first(ready(phrase.any) or self._all[:1])
        self._exclude = _by_first(ready(phrase.exclude))

    def find(self, normal: Normal) -> Iterator[tuple[int, int, str]]:
        """(start, end, phrase) of what was heard; nothing when an ``all`` is missing or an ``exclude`` is heard."""
        for start, end, phrase in _find(self._wanted, normal):
            if any(_find(self._exclude, normal)):
                return
            if all(any(_find(_by_first([pattern]), normal)) for pattern in self._all):
                yield start, end, phrase


@lru_cache(maxsize=4096)
def compiled(phrase: Phrase, language: Language) -> Phrases:
    """The leaf ready for use; calls on the same playbook share it."""
    return Phrases(phrase, language)


NOTHING = "\0"
"""What follows the last unit: no phrase goes on with it."""
_Index = Mapping[str, Mapping[str, Mapping[str, Sequence[Pattern]]]]


def _by_first(patterns: Sequence[Pattern]) -> _Index:
    """Patterns by layer and first two units: most phrases of a playbook begin with words that were not said."""
    index: dict[str, dict[str, dict[str, list[Pattern]]]] = {}
    for pattern in patterns:
        first, second = pattern.beginning
        index.setdefault(pattern.layer, {}).setdefault(first, {}).setdefault(second, []).append(pattern)
    return index


def _find(index: _Index, normal: Normal) -> Iterator[tuple[int, int, str]]:
    for layer, by_first in index.items():
        units: tuple[str, ...] = getattr(normal, layer)
        if by_first.keys().isdisjoint(units):
            continue
        for first, unit in enumerate(units):
            by_second = by_first.get(unit)
            if by_second is None:
                continue
            second = units[first + 1] if first + 1 < len(units) else NOTHING
            for pattern in (*by_second.get(second, ()), *by_second.get("", ())):
                last = pattern.end_at(normal, first)
                if last is not None:
                    yield normal.tokens[first].start, normal.tokens[last].end, pattern.phrase
