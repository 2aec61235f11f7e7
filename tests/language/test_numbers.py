"""Numbers said and numbers written are the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.language.numbers import en_number, zh_number

SMALL_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    " seventeen eighteen nineteen"
)
SMALL = SMALL_WORDS.split()
TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def say(n):
    """A number in English words, the other way round from the code under test."""
    for size, name in ((10**9, "billion"), (10**6, "million"), (1000, "thousand")):
        if n >= size:
            rest = n % size
            return [*say(n // size), name, *(["and"] if 0 < rest < 100 else []), *(say(rest) if rest else [])]
    if n >= 100:
        return [SMALL[n // 100], "hundred", *(["and", *say(n % 100)] if n % 100 else [])]
    if n >= 20:
        return [TENS[n // 10], *([SMALL[n % 10]] if n % 10 else [])]
    return [SMALL[n]]


@given(st.integers(min_value=2, max_value=10**10))
def test_every_spoken_english_number_is_read(n):
    said = say(n)
    assert en_number(said) == (str(n), len(said))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a hundred", ("100", 2)),
        ("a thousand pounds", ("1000", 2)),
        ("twenty five hundred", ("2500", 3)),
        ("nineteen eighty", ("19", 1)),
        ("two and a half", ("2", 1)),
        ("one hundred and", ("100", 2)),
        ("a dog", None),
        ("one", None),
        ("hundred", None),
        ("", None),
        ("price", None),
    ],
)
def test_english_edges(text, expected):
    assert en_number(text.split()) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("一百二十三", "123"),
        ("十二", "12"),
        ("三千零五", "3005"),
        ("三百二十万", "3200000"),
        ("一亿", "100000000"),
        ("一三八", "138"),
        ("二零二六", "2026"),
        ("三点一四", "3.14"),
        ("三四千", None),
        ("一两", None),
    ],
)
def test_chinese_numbers(text, expected):
    assert zh_number(text) == expected
