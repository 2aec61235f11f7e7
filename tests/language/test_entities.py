"""Prices, times and numbers mean the same however they are said, and nothing else is one."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.language.entities import entities
from copilot.language.normalise import normalise


def named(text, kind=None):
    found = entities(normalise(text))
    return [(e.kind, text[e.start : e.end], e.value) for e in found if kind in (None, e.kind)]


@pytest.mark.parametrize(
    ("text", "quote", "value"),
    [
        ("It's $1,200.50 a year", "$1,200.50", 1200.5),
        ("a hundred and twenty pounds", "a hundred and twenty pounds", 120),
        ("twenty quid a month", "twenty quid", 20),
        ("about $3k", "$3k", 3000),
        ("two grand", "two grand", 2000),
        ("it costs 99 cents", "99 cents", 0.99),
        ("1.5 million dollars", "1.5 million dollars", 1_500_000),
        ("五块钱一个月", "五块钱", 5),
        ("三块五一斤", "三块五", 3.5),
        ("三万五千块", "三万五千块", 35_000),
        ("一千二百多块", "一千二百多块", 1200),
        ("3万元", "3万元", 30_000),
        ("￥300", "￥300", 300),
        ("五毛钱", "五毛钱", 0.5),
    ],
)
def test_prices(text, quote, value):
    assert named(text) == [("price", quote, pytest.approx(value))]


@pytest.mark.parametrize(
    ("text", "kind", "quote", "value"),
    [
        ("15 percent off", "percentage", "15 percent", 15),
        ("百分之二十", "percentage", "百分之二十", 20),
        ("a hundred percent", "percentage", "a hundred percent", 100),
        ("约三成", "percentage", "三成", 30),
        ("call me Tuesday at ten", "time", "Tuesday at ten", None),
        ("call me Tuesday at ten", "date", "Tuesday", None),
        ("at 10:30 tomorrow", "time", "10:30", None),
        ("at 10:30 tomorrow", "date", "tomorrow", None),
        ("half past 3", "time", "half past 3", None),
        ("周三下午三点再打", "time", "下午三点", None),
        ("周三下午三点再打", "date", "周三", None),
        ("五号上午十点半", "time", "上午十点半", None),
        ("五号上午十点半", "date", "五号", None),
        ("下个星期一", "date", "下个星期一", None),
        ("March 3rd", "date", "March 3rd", None),
        ("on 2026-03-05", "date", "2026-03-05", None),
        ("my number is 020 7946 0018", "phone", "020 7946 0018", None),
        ("it's oh seven seven one two three four five", "phone", "oh seven seven one two three four five", None),
        ("一三八零零一三八零零零", "phone", "一三八零零一三八零零零", None),
        ("13800138000", "phone", "13800138000", None),
        ("we are twelve people", "number", "twelve", 12),
        ("一年三万五", "number", "三万五", 35_000),
    ],
)
def test_the_other_kinds(text, kind, quote, value):
    assert named(text, kind) == [(kind, quote, value)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("三点建议", "time"), ("我们一块去", "price"), ("two of us", "price"), ("one moment", "number"),
        ("at home", "time"), ("it's 99:99", "time"), ("2026-03-05", "phone"), ("1200000 yuan", "number"),
        ("20 percent", "number"), ("March 3rd", "number"), ("", "number"),
    ],
)  # fmt: skip
def test_what_is_none(text, kind):
    assert named(text, kind) == []


@given(st.integers(2, 10**8), st.sampled_from(["{} dollars", "{}块钱", "${}", "pay {} pounds now", "要{}元"]))
def test_every_amount_is_a_price_of_that_value(amount, frame):
    assert [value for _, _, value in named(frame.format(amount), "price")] == [amount]


@given(st.text(st.sampled_from("1一百$块 .:-at% monday周三点号oh,"), max_size=60))
def test_anything_may_be_said(text):
    for entity in entities(normalise(text)):
        assert 0 <= entity.start < entity.end <= len(text)


def test_a_long_text_takes_no_more_than_its_length():
    def seconds(size):
        normal = normalise("one two $ 3 oh at 5 " * size)
        start = time.perf_counter()
        entities(normal)
        return time.perf_counter() - start

    entities(normalise("warm"))
    assert seconds(400) < 100 * max(seconds(40), 0.001)
