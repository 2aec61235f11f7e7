from __future__ import annotations

import pytest

from scripts.benching.words import errors, mandarin, rate, spoken_number, text_errors, units


@pytest.mark.parametrize(
    ("digits", "said"),
    [("0", "零"), ("10", "十"), ("105", "一百零五"), ("1500", "一千五百"), ("20300", "二万零三百")],
)
def test_numbers_are_written_as_they_are_said(digits: str, said: str):
    assert spoken_number(digits) == said


def test_script_digits_and_punctuation_are_no_errors():
    assert mandarin("這個要1,500元，打95%") == mandarin("这个要一千五百元打百分之九十五")


def test_homophones_are_errors_in_characters_and_none_in_pinyin():
    found = text_errors("他在家", "她在家", "zh")
    assert rate(found["errors"]) == pytest.approx(1 / 3)
    assert rate(found["pinyin"]) == 0


def test_english_is_counted_in_normalised_words():
    assert units("I'm twenty-one, Mr. Smith!", "en") == units("i am 21 mister smith", "en")


def test_errors_against_nothing():
    assert errors([], ["a"])["ins"] == 1
    assert errors(["a"], [])["del"] == 1
