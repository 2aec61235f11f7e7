from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.language.quotes import find_quote

SAID = "Right, well, we're already with Skyline for our internet, and they've been perfectly fine."


@pytest.mark.parametrize(
    ("text", "quote", "there"),
    [
        (SAID, "already with Skyline", "already with Skyline"),
        (SAID, "WE'RE ALREADY WITH SKYLINE", "we're already with Skyline"),
        (SAID, "already with Sky Line for your internet", "already with Skyline for our internet"),
        (SAID, "already with Skylark", None),
        (SAID, "we would rather have a cheaper tariff", None),
        ("这个实在太贵了,我要考虑一下。", "太贵了", "太贵了"),
        ("这个实在太贵了,我要考虑一下。", "太贵啦", None),
        ("没听清,我没说要贷款,你先把资料发给我。", "我没说要带款啊你先把资料发给我", "我没说要贷款,你先把资料发给我"),
        (SAID, " ", None),
        ("", "already", None),
    ],
)
def test_a_word_must_be_there_a_sentence_may_differ_by_a_few_letters(text, quote, there):
    place = find_quote(text, quote)
    assert (place and text[place[0] : place[1]]) == there


@given(st.text(max_size=60), st.text(max_size=60))
def test_what_is_found_is_a_piece_of_the_text(text, quote):
    place = find_quote(text, quote)
    if place:
        assert 0 <= place[0] < place[1] <= len(text)


@given(st.text(max_size=30), st.text(min_size=1, max_size=30).filter(str.strip), st.text(max_size=30))
def test_every_piece_of_a_text_is_found(before, quote, after):
    assert find_quote(before + quote + after, quote) is not None
