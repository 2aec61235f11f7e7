"""A match that is denied or quoted is no match; a match after a loose "no" is."""

import pytest

from copilot.language.normalise import normalise
from copilot.signals.negation import is_taken_back, negations

DENIED = [
    ("I'm not saying it's too expensive", "too expensive"),
    ("it's not really too expensive", "too expensive"),
    ("I don't think that's too expensive at all", "too expensive"),
    ("I have no complaints", "complaints"),
    ("no one can promise guaranteed returns", "guaranteed returns"),
    ("we can't promise guaranteed returns", "guaranteed returns"),
    ("zero risk does not exist", "zero risk"),
    ("there's no such thing as zero risk", "zero risk"),
    ("you said it was too expensive last time", "too expensive"),
    ('they call it "too expensive" there', "too expensive"),
    ("我不是说贵", "贵"),
    ("没什么好投诉的", "投诉"),
    ("我们不能保证收益", "保证收益"),
    ("谁都不敢说保证收益", "保证收益"),
    ("不是不需要", "不需要"),
    ("我又没说太贵", "太贵"),
    ("零风险是不可能的", "零风险"),
    ("你刚才说太贵了", "太贵"),
]
MEANT = [
    ("no it's too expensive", "too expensive"),
    ("no too expensive", "too expensive"),
    ("I'm not buying because it's too expensive", "too expensive"),
    ("I can't believe how expensive this is", "expensive"),
    ("not gonna lie it's too expensive", "too expensive"),
    ("there is zero risk", "zero risk"),
    ('"too expensive"', "too expensive"),
    ("不用了太贵了", "太贵"),
    ("不好意思太贵了", "太贵"),
    ("这不就是骗人的吗", "骗人"),
    ("你们不会是骗子吧", "骗子"),
    ("你们不是骗子吗", "骗子"),
]


def taken_back(text, piece, speaker="customer"):
    start = text.index(piece)
    return is_taken_back(normalise(text), start, start + len(piece), speaker)


@pytest.mark.parametrize(("text", "piece"), DENIED)
def test_denied_or_quoted(text, piece):
    assert taken_back(text, piece)


@pytest.mark.parametrize(("text", "piece"), MEANT)
def test_meant(text, piece):
    assert not taken_back(text, piece)


@pytest.mark.parametrize(
    ("text", "piece"),
    [("some customers say it's too expensive at first", "too expensive"), ("有的客户一开始觉得太贵", "太贵")],
)
def test_a_rep_who_tells_of_others_means_nothing_himself(text, piece):
    assert taken_back(text, piece, "rep")
    assert not taken_back(text, piece, "customer")


def test_negations_are_counted():
    assert negations(normalise("我不相信你")) == 1
    assert negations(normalise("我不是不相信你")) == 2
    assert negations(normalise("I don't think so, no")) == 2
    assert negations(normalise("I don't know")) == 0
