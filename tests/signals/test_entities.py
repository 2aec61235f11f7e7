"""What is named counts: amounts within bounds, and the names in the playbook's lexicons."""

import pytest

from tests.signals.plans import labels, listener, said

LEXICONS = "lexicons: {competitor: [Acme, Blue Sky, 星河教育], product: [Fibre Five Hundred]}\n"


def ear_for(entity, language="en"):
    return listener(f"{LEXICONS}signals: [{{id: x, when: {{entity: {{{entity}}}}}}}]", language)


@pytest.mark.parametrize(
    ("entity", "heard", "not_heard"),
    [
        ("kind: price", "that is twenty pounds", "that is twenty people"),
        ("kind: price, above: 100", "it's two hundred quid", "it's fifty quid"),
        ("kind: price, below: 100", "it's fifty quid", "it's two hundred quid"),
        ("kind: price, above: 10, below: 20", "15 dollars", "10 dollars"),
        ("kind: percentage, above: 10", "20 percent off", "five percent off"),
        ("kind: number, above: 10", "we are twelve", "we are nine"),
        ("kind: date", "see you on Tuesday", "see you"),
        ("kind: time", "tomorrow at ten", "at home"),
        ("kind: phone", "call 020 7946 0018", "call 020"),
        ("kind: competitor", "we are with blue sky", "the sky is blue"),
        ("kind: competitor, any: [Acme]", "we are with Acme", "we are with Blue Sky"),
        ("kind: product", "that fibre 500 thing", "that fibre thing"),
        ("kind: competitor, negation: veto", "we use Acme", "not Acme"),
        ("kind: competitor", "not Acme", "nobody"),
    ],
)
def test_entities(entity, heard, not_heard):
    ear = ear_for(entity)
    assert labels(ear, heard, id_="a") == ["x"]
    assert labels(ear, not_heard, id_="b") == []


@pytest.mark.parametrize(
    ("entity", "heard", "not_heard"),
    [
        ("kind: price, above: 100", "一个月三百块", "一个月五十块"),
        ("kind: percentage, below: 5", "百分之三", "百分之八"),
        ("kind: time", "下午三点", "三点建议"),
        ("kind: competitor", "我孩子在星合教育上课", "我孩子在上课"),
    ],
)
def test_entities_in_chinese(entity, heard, not_heard):
    ear = ear_for(entity, "zh")
    assert labels(ear, heard, id_="a") == ["x"]
    assert labels(ear, not_heard, id_="b") == []


def test_the_evidence_names_it():
    (signal,) = ear_for("kind: price, above: 100").hear(said("Ten pounds or 1,200 pounds?"), stage="opening").signals
    assert (signal.detector, signal.why, signal.evidence.quote) == ("entity", "price 1200", "1,200 pounds")
