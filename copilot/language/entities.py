"""Prices, percentages, dates, times, telephone numbers and plain numbers in what is said, each with its value.

Patterns run in linear time (RE2) over the tokens of the normalised text, where numbers are digits already, however
they were said. Every pattern asks for certainty (a currency, a weekday, three groups of digits) rather than guess.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import re2

from copilot.events import Frozen
from copilot.language.normalise import Normal
from copilot.language.numbers import zh_number

_NUM = r"\d+(?:\.\d+)?"
_ZH_NUM = rf"(?:{_NUM}|[一两二三四五六七八九十])"
_SCALE = r"(?: (?:k|thousand|million|billion|千|百|万|亿))*"
_ABOUT = r"(?: [多几来])?"
_DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
_MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december"
_ORDINAL = r"(?:\d+(?: (?:st|nd|rd|th))?|first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth)"

_PHONE_DIGITS = r"(?:\d{1,5}|oh|one|double|triple|[零幺一二三四五六七八九])"
_AT = "(?:at|around|by|before|after|until)"
_ZH_DAY = "[一二三四五六日天]"

_PATTERNS: Final[dict[str, tuple[str, ...]]] = {
    "phone": (
        rf"(?:\+ )?(?:{_PHONE_DIGITS}(?: -)? ){{2,14}}{_PHONE_DIGITS}",
        r"(?:\+ )?1[3-9]\d{9}",
        r"0\d{9,11}",
    ),
    "percentage": (rf"{_ZH_NUM} %", rf"{_ZH_NUM} 成"),
    "price": (
        rf"[$£€¥] {_NUM}{_SCALE}",
        rf"{_NUM}{_SCALE} (?:dollars?|bucks?|pounds?|quid|euros?|cents?|pence|rupees?|yuan|rmb|grand|tenners?)",
        rf"{_NUM}{_SCALE}{_ABOUT} (?:块(?: 钱)?|元|人 民 币|美 元|美 金|欧 元|港 币)",
        rf"{_ZH_NUM}{_SCALE}{_ABOUT} (?:块 {_ZH_NUM}|块 钱|元|毛 钱|角 钱)",
    ),
    "time": (
        r"\d+ (?:am|pm|a m|p m|oclock|o clock)",
        r"(?:half past|quarter to|quarter past) \d+",
        "noon|midday|midnight",
        rf"{_AT} (?:1[0-2]|[1-9]) (?:on|in the|tomorrow|tonight|today|sharp|am|pm|{_DAYS})",
        rf"(?:{_DAYS}|tomorrow|today) (?:\w+ )?at \d{{1,2}}(?: \d\d)?",
        r"\d{1,2} : \d\d",
        rf"(?:早 上|上 午|中 午|下 午|晚 上|傍 晚|凌 晨) {_ZH_NUM} 点(?: (?:半|整|{_ZH_NUM}(?: 分)?))?",
        rf"(?:周|星 期|礼 拜) {_ZH_DAY} {_ZH_NUM} 点(?: 半)?",
        rf"[明今后] [天早晚] {_ZH_NUM} 点(?: 半)?",
        rf"{_ZH_NUM} 点 (?:半|钟|整|一 刻|三 刻|{_ZH_NUM} 分)",
    ),
    "date": (
        rf"(?:(?:next|this|on) )?(?:{_DAYS})",
        "tomorrow|today|tonight|next (?:week|month|year)|day after",
        rf"(?:{_MONTHS}) (?:the )?{_ORDINAL}",
        rf"(?:the )?{_ORDINAL}(?: of)? (?:{_MONTHS})",
        r"the \d+ (?:st|nd|rd|th)",
        r"\d{4} [-/] \d{1,2} [-/] \d{1,2}",
        rf"(?:[下这本上] )?(?:下 )?(?:个 )?(?:周|星 期|礼 拜) {_ZH_DAY}",
        "今 天|明 天|后 天|大 后 天|明 晚|今 晚|下 (?:个 )?(?:周|月|星 期|礼 拜)",
        rf"{_ZH_NUM} 月 {_ZH_NUM} [号日]",
        rf"{_ZH_NUM} 号",
    ),
    "number": (rf"{_NUM}{_SCALE}",),
}
"""What each kind looks like, tokens apart by single spaces. The first kind that claims a number has it."""

_MIN_PHONE_DIGITS = 7
_MINUTES = 60
_SPOKEN_DIGITS = frozenset(("oh", "one", "double", "triple", *"零幺一二三四五六七八九"))
_DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}")
_SCALES = {"k": 1e3, "grand": 1e3, "thousand": 1e3, "million": 1e6, "billion": 1e9} | {
    "百": 1e2, "千": 1e3, "万": 1e4, "亿": 1e8,
}  # fmt: skip
_SMALLER = {"cent": 0.01, "cents": 0.01, "pence": 0.01, "毛": 0.1, "角": 0.1}
_MARKS = re.compile(r"[$£€¥￥+:：]|(?<=\d)[-/](?=\d)")


class Entity(Frozen, frozen=True, kw_only=True):
    """Something named, by characters ``start``..``end`` of the text.

    ``value`` is the number meant: units of currency, percent (0..100), or the plain number; None where there is none.
    """

    kind: str
    start: int
    end: int
    value: float | None = None


def entities(normal: Normal) -> tuple[Entity, ...]:
    """Everything of any kind that is named in the text, in the order of the kinds, then of the text."""
    return _entities(normal.text, tuple((token.text, token.start, token.end) for token in normal.tokens))


@lru_cache(maxsize=256)
def _entities(text: str, tokens: tuple[tuple[str, int, int], ...]) -> tuple[Entity, ...]:
    pieces = _pieces(text, tokens)
    joined, places = _join(pieces)
    found: list[Entity] = []
    taken: set[int] = set()
    for kind, pattern in _compiled():
        for match in pattern.finditer(joined):
            first, last = bisect_left(places, match.start()), bisect_left(places, match.end()) - 1
            span = range(pieces[first][1], pieces[last][2])
            said = match.group().split()
            if not _is_sure(kind, said) or (kind != "date" and not taken.isdisjoint(span)):
                continue
            taken.update(span)
            found.append(Entity(kind=kind, start=span.start, end=span.stop, value=_value(kind, said)))
    return tuple(found)


@lru_cache(maxsize=1)
def _compiled() -> tuple[tuple[str, re2._Regexp], ...]:
    options = re2.Options()
    options.log_errors = False
    return tuple(
        (kind, re2.compile(f" (?:{'|'.join(patterns).replace(' ', '  ')}) ", options))
        for kind, patterns in _PATTERNS.items()
    )


def _pieces(text: str, tokens: tuple[tuple[str, int, int], ...]) -> list[tuple[str, int, int]]:
    """The tokens and, in their places, the marks that say what a number is: ``$``, ``:``, ``+``."""
    marks = [(match.group().replace("￥", "¥").replace("：", ":"), *match.span()) for match in _MARKS.finditer(text)]
    return sorted((*tokens, *marks), key=lambda piece: (piece[1], piece[2]))


def _join(pieces: list[tuple[str, int, int]]) -> tuple[str, list[int]]:
    """Each piece between two spaces of its own, and where it stands, so that one match may begin where another ends."""
    places: list[int] = []
    at = 1
    for piece, _, _ in pieces:
        places.append(at)
        at += len(piece) + 2
    return "".join(f" {piece} " for piece, _, _ in pieces), places


def _is_sure(kind: str, said: list[str]) -> bool:
    """A telephone number has enough digits and is no date (2026-03-05); a clock has sixty minutes."""
    if kind == "phone":
        digits = sum(len(piece) if piece[0].isdigit() else piece in _SPOKEN_DIGITS for piece in said)
        return digits >= _MIN_PHONE_DIGITS and not _DATE.fullmatch("".join(said))
    if kind == "time":
        return all(float(piece) < _MINUTES for piece in said if piece[0].isdigit())
    return True


def _value(kind: str, said: list[str]) -> float | None:
    if kind not in ("price", "percentage", "number"):
        return None
    numbers = list(_numbers(said))
    if not numbers:
        return None
    value = numbers[0]
    for piece in said:
        value *= _SCALES.get(piece, 1.0)
    if "块" in said and len(numbers) > 1:  # 三块五
        return value + numbers[1] / 10
    if kind == "percentage" and said[-1] == "成":
        return value * 10
    return value * next((_SMALLER[piece] for piece in said if piece in _SMALLER), 1.0)


def _numbers(said: list[str]) -> Iterator[float]:
    for piece in said:
        if piece[0].isdigit():
            yield float(piece)
        elif piece not in _SCALES and (digits := _numeral(piece)):
            yield float(digits)


def _numeral(piece: str) -> str | None:
    return zh_number(piece) if len(piece) == 1 and piece in "一两二三四五六七八九十" else None
