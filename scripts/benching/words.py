"""Word and character error rates, fair to both languages.

English: words after Whisper's English normaliser. Chinese: simplified characters with numbers as they are said and
without punctuation; also as toneless pinyin, because most of what a small model gets wrong are homophones.
"""

from __future__ import annotations

import re
from functools import cache

import jiwer
from opencc import OpenCC
from pypinyin import lazy_pinyin
from whisper_normalizer.english import EnglishTextNormalizer

Counts = dict[str, int]
"""``words`` of the reference, and what was wrong: ``sub``, ``del``, ``ins``."""

_DIGITS = "零一二三四五六七八九"
_PLACES = ((1000, "千"), (100, "百"), (10, "十"), (1, ""))


@cache
def _english() -> EnglishTextNormalizer:
    return EnglishTextNormalizer()


@cache
def _to_simplified() -> OpenCC:
    return OpenCC("t2s")


def spoken_number(digits: str) -> str:
    """1500 -> 一千五百, as it is said."""
    number = int(digits)
    if number >= 10_000:
        rest = number % 10_000
        zero = "零" if 0 < rest < 1_000 else ""
        return spoken_number(str(number // 10_000)) + "万" + (zero + spoken_number(str(rest)) if rest else "")
    text, zero = "", False
    for unit, name in _PLACES:
        digit = number // unit % 10
        if digit:
            text += ("零" if zero and text else "") + _DIGITS[digit] + name
            zero = False
        else:
            zero = True
    return re.sub("^一十", "十", text) or "零"


def mandarin(text: str) -> str:
    """Simplified, numbers as spoken, no punctuation, lower case."""
    text = _to_simplified().convert(text).lower()
    text = re.sub(r"(?<=\d)[,，](?=\d{3})", "", text)
    text = re.sub(r"(\d+)%", lambda match: "百分之" + spoken_number(match[1]), text)
    text = re.sub(r"\d+", lambda match: spoken_number(match[0]), text)
    return "".join(character for character in text if character.isalnum())


def units(text: str, language: str) -> list[str]:
    """What errors are counted in: characters of Chinese, else words."""
    return list(mandarin(text)) if language == "zh" else _english()(text).split()


def pinyin(text: str) -> list[str]:
    """Toneless syllables."""
    return list(lazy_pinyin(mandarin(text)))


def errors(reference: list[str], hypothesis: list[str]) -> Counts:
    if not reference:
        return {"words": 0, "sub": 0, "del": 0, "ins": len(hypothesis)}
    if not hypothesis:
        return {"words": len(reference), "sub": 0, "del": len(reference), "ins": 0}
    out = jiwer.process_words(" ".join(reference), " ".join(hypothesis))
    return {"words": len(reference), "sub": out.substitutions, "del": out.deletions, "ins": out.insertions}


def text_errors(reference: str, hypothesis: str, language: str) -> dict[str, Counts]:
    """``errors`` in words or characters and, for Chinese, ``pinyin``."""
    found = {"errors": errors(units(reference, language), units(hypothesis, language))}
    if language == "zh":
        found["pinyin"] = errors(pinyin(reference), pinyin(hypothesis))
    return found


def add(total: Counts, more: Counts) -> None:
    for name, value in more.items():
        total[name] = total.get(name, 0) + value


def add_all(total: dict[str, Counts], more: dict[str, Counts]) -> None:
    for name, counts in more.items():
        add(total.setdefault(name, {}), counts)


def rate(total: Counts) -> float:
    """Errors per word of the reference."""
    return (total["sub"] + total["del"] + total["ins"]) / max(total["words"], 1)
