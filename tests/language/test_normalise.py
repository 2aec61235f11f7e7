"""Tokens compare well and never lose their place in the text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.language.normalise import is_chinese, normalise


def words(text, language="auto"):
    return " ".join(normalise(text, language).words)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It’s too, um, expensive.", "it is too expensive"),
        ("I can't / I cannot", "i can not i can not"),
        ("we'll they've you're I'd I'm", "we will they have you are i would i am"),
        ("my wife's car, what's that", "my wife car what is that"),
        ("rock'n'roll", "rocknroll"),
        ("isn't", "is not"),
        ("the the the price", "the price"),
        ("bye bye", "bye"),
        ("twenty five percent", "25 %"),
        ("a hundred percent, 100%", "100 % 100 %"),
        ("1,200 pounds", "1200 pounds"),
        ("no one", "no one"),
        ("嗯，我我我觉得太贵了", "我 觉 得 太 贵 了"),
        ("百分之百", "100 %"),
        ("百分百", "100 %"),
        ("百分之三十", "30 %"),
        ("三千五百块", "3500 块"),
        ("一两天", "一 两 天"),
        ("便宜一点", "便 宜 一 点"),
        ("一点五个月", "1.5 个 月"),
        ("2天", "两 天"),
        ("用wifi上网", "用 wifi 上 网"),
    ],
)
def test_a_text_becomes_comparable_words(text, expected):
    assert words(text) == expected


def test_a_lone_digit_follows_the_language():
    assert words("3", "zh") == "三"
    assert words("3", "en") == "3"


def test_stems_and_syllables():
    normal = normalise("Too expensive, 太贵了 ok")
    assert normal.stems[:2] == normalise("too expense").stems
    assert normal.syllables[2:5] == ("tai", "gui", "le")
    assert normalise("中城京").syllables == normalise("宗曾金").syllables, "near sounds are equal"


def test_an_unknown_character_is_its_own_syllable():
    assert len(normalise("㐂㐃贵").syllables) == 3


def test_clauses_are_exact_pieces():
    text = "Well, it's dear. 太贵了 不要了"
    assert [text[a:b] for a, b in normalise(text).clauses] == ["Well", "it's dear", "太贵了", "不要了"]


def test_length_changing_letters_keep_their_place():
    text = "İstanbul is too expensive"
    token = normalise(text).tokens[-1]
    assert text[token.start : token.end] == "expensive"


def test_what_is_chinese():
    assert is_chinese("我要买 iPhone")
    assert not is_chinese("hello")
    assert not is_chinese("12 %")


@given(st.text(alphabet=st.sampled_from("ab'’ 我不是太贵了一百零点二万%.,，。嗯um59-İ\n"), max_size=60))
def test_offsets_are_ordered_and_inside(text):
    normal = normalise(text)
    assert all(0 <= t.start < t.end <= len(text) for t in normal.tokens)
    starts = [t.start for t in normal.tokens]
    assert starts == sorted(starts)
    assert len(normal.stems) == len(normal.syllables) == len(normal.words)


@given(st.text(max_size=80))
def test_no_text_is_too_strange(text):
    normal = normalise(text)
    assert all(text[a:b] for a, b in normal.clauses)
    assert len(normal.syllables) == len(normal.tokens)
