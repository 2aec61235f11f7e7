"""Nothing that identifies a person leaves; what a question may be about does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.language.redact import is_luhn, redact


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("call me on 07700 900123 please", "call me on [number] please"),
        ("my number is +44 (0)7700-900-123.", "my number is [number]."),
        ("我电话是13812345678，你记一下", "我电话是[number]，你记一下"),
        ("电话一三八一二三四五六七八", "电话[number]"),
        ("幺三八 一二三四 五六七八", "[number]"),
        ("it's one three eight, double four, nine two seven", "it's [number]"),
        ("the card is 4111 1111 1111 1111 okay", "the card is [card] okay"),
        ("card 4111 1111 1111 1112", "card [number]"),
        ("身份证11010519491231002X对吧", "身份证[id]对吧"),
        ("ids 110105194912310021 yes", "ids [id] yes"),
        ("mail jo.smith@example.co.uk today", "mail [email] today"),
        ("it's jo at example dot com", "it's [email]"),
        ("see https://example.com/x?id=5 then", "see [link] then"),
        ("IBAN DE89 3704 0044 0532 0130 00", "IBAN [id]"),
        ("１３８１２３４５６７８", "[number]"),
    ],
)
def test_what_identifies_somebody_is_replaced(text, safe):
    assert redact(text).text == safe


@pytest.mark.parametrize(
    "text",
    [
        "it is 1,200,000 all in",
        "300 a month for 24 months",
        "call at 3 30",
        "in 2026",
        "三百八十块一个月",
        "百分之九十五",
        "",
    ],
)
def test_prices_dates_and_shares_stay(text):
    assert redact(text).text == text


def test_a_quote_is_found_where_it_was_said():
    safe = redact("yes 07700 900123 is mine, and it is far too expensive")
    assert safe.text == "yes [number] is mine, and it is far too expensive"
    for quote, original in (
        ("far  TOO expensive", "far too expensive"),
        ("yes", "yes"),
        ("[number] is mine", "07700 900123 is mine"),
        ("number", "07700 900123"),
    ):
        start, end = safe.find(quote)
        assert safe.original[start:end] == original
    assert safe.find("too cheap") is None
    assert safe.find("  ") is None


@given(st.text(alphabet="abc 0123456789-@.，一二三", max_size=60))
def test_no_long_number_survives_and_every_quote_maps_back(text):
    safe = redact(text)
    digits = [run for run in safe.text.replace(" ", "").split(".") if run.isdecimal()]
    assert all(len(run) < 13 for run in digits)
    for cut in safe.cuts:
        assert safe.text[cut[2] : cut[3]] in ("[number]", "[card]", "[email]", "[id]")
    start, end = safe.find(safe.text) or (0, len(text))
    assert text[start:end].strip() == text.strip()


def test_the_check_digit_of_cards():
    assert is_luhn("79927398713")
    assert not is_luhn("79927398710")
