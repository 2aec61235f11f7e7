from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.events import Word
from copilot.language.quotes import find_quote
from copilot.review.evidence import Quotes, locate
from copilot.review.model import Line

TEXT = "Well, there is ZERO-risk. 保证收益，没有风险！"


def line(text: str = TEXT) -> Line:
    return Line(utterance_id="u1", speaker="rep", start_ms=1000, end_ms=9000, text=text)


@pytest.mark.parametrize(
    ("quote", "found"),
    [
        ("there is ZERO-risk", "there is ZERO-risk"),
        ("zero risk", "ZERO-risk"),
        (" There is zero risk. ", "there is ZERO-risk"),
        ("保证收益没有风险", "保证收益，没有风险"),
        ("never", None),
        ("", None),
        (" .,!", None),
    ],
)
def test_quotes_are_found_whatever_case_and_punctuation_became(quote, found):
    place = find_quote(TEXT, quote)
    assert (TEXT[place[0] : place[1]] if place else None) == found


@given(st.text(), st.integers(0, 20), st.integers(1, 20))
def test_any_part_with_a_letter_is_found_again(text, start, length):
    quote = text[start : start + length]
    if any(char.isalnum() for char in quote):
        assert find_quote(text, quote.upper() if quote.upper().lower() == quote else quote) is not None


def test_a_quote_lies_where_its_words_lie():
    words = [
        Word(text=" Well,", start_ms=1000, end_ms=1500),
        Word(text="", start_ms=1500, end_ms=1500),
        Word(text=" unspelled", start_ms=1500, end_ms=1600),
        Word(text=" there", start_ms=2000, end_ms=2400),
        Word(text=" is", start_ms=2400, end_ms=2500),
        Word(text=" ZERO-risk.", start_ms=2500, end_ms=3500),
    ]
    start, end = find_quote(TEXT, "is zero risk")
    assert locate(line(), words, start, end) == (2400, 3500)
    assert locate(line(), (), start, end) == (1000, 9000)


def test_no_evidence_from_an_unknown_line_or_words_not_in_it():
    quotes = Quotes([line()], {})
    assert quotes.lock("u2", "zero risk") is None
    assert quotes.lock("u1", "guaranteed") is None
    assert quotes.lock("u1", "zero risk").quote == "ZERO-risk"
