"""Numbers as they are said and as they are written, brought to one form: ASCII digits.

``twenty five``, ``25`` and ``二十五`` become ``25``; ``a hundred percent``, ``100%`` and ``百分之百`` become ``100``
and ``%``. A single Chinese numeral stays a word (一定, 三心二意), because most of them are part of one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_SMALL_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    " seventeen eighteen nineteen"
)
_UNITS = {word: value for value, word in enumerate(_SMALL_WORDS.split())}
_TENS = {
    word: (value + 2) * 10
    for value, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split())  # noqa: SIM905
}
EN_NUMBER_WORDS = frozenset(("a", *_UNITS, *_TENS))
"""What an English number can begin with."""
_SCALES = {"thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}

_ZH_DIGITS = {char: value % 10 for value, char in enumerate("零一二三四五六七八九〇幺两")} | {"幺": 1, "两": 2, "〇": 0}
_ZH_SCALES = {"十": 10, "百": 100, "千": 1_000}
_ZH_BIG = {"万": 10_000, "亿": 100_000_000}

ZH_NUMBER = re.compile(
    r"百分之(?P<percent>[零〇一二两三四五六七八九十百]+(?:点[零〇一二三四五六七八九]+)?|[0-9]+(?:\.[0-9]+)?)"
    r"|(?P<all>百分百)"
    r"|(?P<number>[零〇幺一二两三四五六七八九十][零〇幺一二两三四五六七八九十百千万亿]+(?:点[零〇一二三四五六七八九]+)?"
    r"|[零〇一二两三四五六七八九十]点[零〇一二三四五六七八九]+)"
)
"""A stretch of Chinese that may be a number; ``zh_number`` decides."""


def en_number(words: Sequence[str]) -> tuple[str, int] | None:
    """The number that ``words`` begin with, as digits, and how many words it took; None if they begin with none.

    ``a hundred`` counts as one hundred; ``a`` alone does not, nor does ``one`` (no one, this one). Two numbers in a
    row (``nineteen eighty``) stay two.
    """
    total, at = 0, 0
    while part := _below_thousand(words, at):
        value, after = part
        scale = _SCALES.get(_word(words, after))
        total += value * (scale or 1)
        at = after + bool(scale)
        if not scale:
            break
        if _word(words, at) == "and" and _below_thousand(words, at + 1):
            at += 1
    return (str(total), at) if at and list(words[:at]) != ["one"] else None


def _below_thousand(words: Sequence[str], at: int) -> tuple[int, int] | None:
    """Value and end of ``[n] hundred [and] n`` or ``n`` from ``at``."""
    following = _word(words, at + 1)
    head = (1, at + 1) if _word(words, at) == "a" and following in ("hundred", *_SCALES) else _below_hundred(words, at)
    if head is None or _word(words, head[1]) != "hundred":
        return head
    value, after = head[0] * 100, head[1] + 1
    rest = _below_hundred(words, after + (_word(words, after) == "and"))
    return (value + rest[0], rest[1]) if rest else (value, after)


def _below_hundred(words: Sequence[str], at: int) -> tuple[int, int] | None:
    word, following = _word(words, at), _word(words, at + 1)
    if word in _TENS:
        unit = _UNITS.get(following, 0)
        return (_TENS[word] + unit, at + 2) if 0 < unit < 10 else (_TENS[word], at + 1)
    return (_UNITS[word], at + 1) if word in _UNITS else None


def _word(words: Sequence[str], at: int) -> str:
    return words[at] if at < len(words) else ""


def zh_number(text: str) -> str | None:
    """``text`` (as matched by ``ZH_NUMBER``'s groups) as digits, or None when it is no number (一两, 三四千)."""
    whole, _, fraction = text.partition("点")
    digits = "".join(str(_ZH_DIGITS[char]) for char in fraction)
    value = _digit_by_digit(whole) or _by_place(whole)
    if value is None:
        return None
    return f"{value}.{digits}" if digits else value


def _digit_by_digit(text: str) -> str | None:
    """一三八 and 二零二六 are read out digit by digit; 一两 is not."""
    if all(char in _ZH_DIGITS for char in text) and (len(text) >= 3 or len(text) == 1):
        return "".join(str(_ZH_DIGITS[char]) for char in text)
    return None


def _by_place(text: str) -> str | None:
    total, section, digit = 0, 0, None
    unit = 1  # what a digit at the very end counts: 三万五 is 35,000, 三百五 is 350, 三百零五 is 305
    for char in text:
        if char in _ZH_DIGITS:
            if digit:
                return None  # two digits in a row: 三四千
            digit = _ZH_DIGITS[char]
            unit = unit if digit else 1
        elif char in _ZH_SCALES:
            section += (1 if digit is None else digit) * _ZH_SCALES[char]
            digit, unit = None, _ZH_SCALES[char] // 10
        else:
            total = (total + section + (digit or 0)) * _ZH_BIG[char]
            section, digit, unit = 0, None, _ZH_BIG[char] // 10
    return str(total + section + (digit or 0) * unit)
