"""What identifies a person, taken out of a text before it leaves the machine. Cautious: a number too many is no harm.

Phone, card, bank and identity numbers are runs of digits; as digits, as Chinese numerals or spelled out one by one
("one three eight ..."). Names and addresses stay: no pattern finds them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from copilot.events import Frozen

MIN_DIGITS = 7
"""Shorter numbers are prices, dates and percentages, which a question may be about."""
_DIGIT_WORDS = "zero|oh|nought|one|two|three|four|five|six|seven|eight|nine|double|triple"
_ZH_DIGITS = "零〇一二三四五六七八九幺两"
_FULL_WIDTH = "０-９"
_EMAIL = re.compile(
    r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+|\b[\w.+-]{1,64} at [\w-]{1,63}(?: dot [a-z]{2,12}){1,3}\b",
    re.IGNORECASE,
)
_SITE = re.compile(r"https?://\S+", re.IGNORECASE)
_ID = re.compile(r"(?<!\d)\d{17}[\dXx](?![\dXx])")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?(?![A-Za-z0-9])")
_DIGITS = re.compile(
    rf"(?<![\d{_FULL_WIDTH}])\+?\(?[\d{_FULL_WIDTH}](?:[\s().,/-]{{0,3}}[\d{_FULL_WIDTH}]){{6,30}}(?!\d)"
)
_SPOKEN = re.compile(rf"\b(?:{_DIGIT_WORDS})(?:[\s,.-]+(?:{_DIGIT_WORDS})\b){{5,}}", re.IGNORECASE)
_ZH_SPOKEN = re.compile(rf"[{_ZH_DIGITS}](?:[\s，,、-]{{0,2}}[{_ZH_DIGITS}]){{6,}}")
_CARD_DIGITS = range(13, 20)
_MONEY = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")


class Redacted(Frozen, frozen=True, kw_only=True):
    """``text`` may leave; ``cuts`` (start, end in the original; start, end in ``text``) say what was replaced."""

    text: str
    original: str
    cuts: tuple[tuple[int, int, int, int], ...] = ()

    def find(self, quote: str) -> tuple[int, int] | None:
        """Where in the original a quote of ``text`` stands, or None; letters may differ in case, spaces in number."""
        words = quote.split()
        if not words:
            return None
        found = re.search(r"\s+".join(map(re.escape, words)), self.text, re.IGNORECASE)
        return (self._origin(found.start(), 0), self._origin(found.end(), 1)) if found else None

    def _origin(self, at: int, edge: int) -> int:
        """The offset in the original; inside of what was replaced, its start (``edge`` 0) or end (1)."""
        shift = 0
        for start, end, left, right in self.cuts:
            if left < at < right:
                return (start, end)[edge]
            if right <= at:
                shift = end - right
        return at + shift


def redact(text: str) -> Redacted:
    """Replace what identifies a person by ``[email]``, ``[link]``, ``[card]``, ``[id]`` and ``[number]``."""
    cuts: list[tuple[int, int, int, int]] = []
    pieces: list[str] = []
    at = length = 0
    for start, end, name in _merged(text):
        kept, mark = text[at:start], f"[{name}]"
        pieces += (kept, mark)
        length += len(kept)
        cuts.append((start, end, length, length + len(mark)))
        length += len(mark)
        at = end
    return Redacted(text="".join((*pieces, text[at:])), original=text, cuts=tuple(cuts))


def _merged(text: str) -> Iterator[tuple[int, int, str]]:
    """What to replace, in order, none overlapping: the first pattern that claims a place has it."""
    taken: list[tuple[int, int, str]] = []
    for start, end, name in _found(text):
        if all(end <= left or start >= right for left, right, _ in taken):
            taken.append((start, end, name))
    yield from sorted(taken)


def _found(text: str) -> Iterator[tuple[int, int, str]]:
    for pattern, name in ((_EMAIL, "email"), (_SITE, "link"), (_ID, "id"), (_IBAN, "id")):
        yield from ((*match.span(), name) for match in pattern.finditer(text))
    for match in _DIGITS.finditer(text):
        digits = "".join(filter(str.isdecimal, match.group()))
        if not _MONEY.fullmatch(match.group()):
            yield *match.span(), "card" if len(digits) in _CARD_DIGITS and is_luhn(digits) else "number"
    for pattern in (_SPOKEN, _ZH_SPOKEN):
        yield from ((*match.span(), "number") for match in pattern.finditer(text))


def is_luhn(digits: str) -> bool:
    """Whether the last digit checks the others (ISO/IEC 7812-1, annex B): payment cards do."""
    doubled = [int(digit) * (1 + at % 2) for at, digit in enumerate(reversed(digits))]
    return sum(number // 10 + number % 10 for number in doubled) % 10 == 0
