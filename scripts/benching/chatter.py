"""Talk that no sales call is about: what customers of others said, as dialogues of plain lines.

Persuasion dialogues keep the lines in which somebody declines to give money out: those are refusals.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from pathlib import Path

import msgspec

EN_WORD_S, ZH_CHARACTER_S = 0.36, 0.22
"""How long a word or character lasts: about 165 words and 270 characters a minute."""
REFUSALS = ("disagree", "negative-reaction", "ask-not-donate", "ask-donate-more")
"""Beginnings of the persuasion labels that are objections."""

Row = dict[str, str]


class Dialogue(msgspec.Struct, frozen=True):
    """What one person says in one conversation, in order."""

    corpus: str
    language: str
    lines: list[str]

    @property
    def seconds(self) -> float:
        """How long it takes to say."""
        return sum(spoken_s(line) for line in self.lines)


def spoken_s(text: str) -> float:
    """Seconds it takes to say a line of either language or both."""
    chinese = sum("一" <= character <= "鿿" for character in text)
    words = sum(any("a" <= character <= "z" for character in word.lower()) for word in text.split())
    return max(0.4, chinese * ZH_CHARACTER_S + words * EN_WORD_S)


def dialogues(folder: Path, seconds: float) -> dict[str, list[Dialogue]]:
    """Up to so much talk of each corpus in ``folder``, by its name, evenly from the whole of it."""
    found = {}
    for name, (pattern, read) in CORPORA.items():
        everything = [dialogue for path in sorted(folder.glob(pattern)) for dialogue in read(name, path)]
        if everything:
            found[name] = _some(everything, seconds)
    return found


def _some(everything: list[Dialogue], seconds: float) -> list[Dialogue]:
    """Every n-th dialogue, so that ``seconds`` of talk come from the whole corpus."""
    step = max(1, int(sum(dialogue.seconds for dialogue in everything) // seconds))
    return everything[::step]


def _persuasion(name: str, path: Path) -> Iterator[Dialogue]:
    rows = [
        row
        for row in _rows(path, "\t")
        if row["role"] == "persuadee"
        and not any((row[key] or "").strip().startswith(REFUSALS) for key in ("label1", "label2"))
    ]
    yield from _talks(name, "en", rows, "dialog_id", "text")


def _services(name: str, path: Path) -> Iterator[Dialogue]:
    yield from _talks(name, "en", _rows(path, "\t"), "conversationId", "utterance")


def _series(name: str, path: Path) -> Iterator[Dialogue]:
    yield from _talks(name, "zh", _rows(path, ","), "Dialogue_ID", "Utterance")


def _talks(name: str, language: str, rows: Iterable[Row], key: str, text: str) -> Iterator[Dialogue]:
    for _, lines in groupby(rows, lambda row: row[key]):
        said = [line[text].strip() for line in lines if (line[text] or "").strip()]
        if said:
            yield Dialogue(name, language, said)


def _rows(path: Path, delimiter: str) -> list[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
        lines = list(csv.reader(file, delimiter=delimiter, quoting=quoting))
    names, *rows = lines
    return [dict(zip(names, row, strict=True)) for row in rows if len(row) == len(names)]


CORPORA: dict[str, tuple[str, Callable[[str, Path], Iterator[Dialogue]]]] = {
    "persuasion": ("persuasionforgood*.tsv", _persuasion),
    "multidogo": ("multidogo_*.tsv", _services),
    "cped": ("cped_*.csv", _series),
}
