"""Lines in, signals out, and how well they fit."""

from __future__ import annotations

import json

import pytest

from copilot.backtest.aliases import ALIASES, truth_of
from copilot.backtest.runs import Bench
from copilot.backtest.score import Scorer, fit
from copilot.playbook.load import find_playbook, parse_playbook, shipped_packs
from tests.call.rig import PLAYBOOK

KNOWN = ("objection.price", "objection.no_need", "objection.competitor", "opening.intro", "opening.permission")


def line(text: str, **facts: object) -> bytes:
    return json.dumps({"text": text, "lang": "en", "speaker": "customer", **facts}).encode()


def scorer(text: str = PLAYBOOK) -> Scorer:
    return Scorer({"en": Bench(None).setup(parse_playbook(text))})


def test_every_line_gets_a_result_in_order_and_a_bad_one_an_error():
    lines = [line("that is too expensive"), b"{", b"", line("hello", lang="zh"), b"[1]", line("nothing", extra=1)]
    scored = list(scorer().score(lines))
    assert [each.number for each in scored] == [1, 2, 4, 5, 6]
    assert [bool(each.error) for each in scored] == [False, True, True, True, False]
    (signal,) = scored[0].signals
    assert (signal.label, signal.quote, signal.detector) == ("objection.price", "too expensive", "phrase")
    assert scored[-1].line["extra"] == 1


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"nonsense", "not a JSON object on one line"),
        (b'{"text": "cut o', "not a JSON object on one line"),
        (b"[1]", "a list is not a mapping"),
        (b'{"text": "x", "speaker": "rep"}', "`lang` is missing"),
        (line("x", lang="es"), "`lang`: 'es' is not one of en, zh"),
        (line("x", speaker="Customer"), "`speaker`: 'Customer' is not one of agent, customer, rep"),
        (line("x", label=7), "`label`: 7 is not text"),
        (line("x" * 10_001), "at most 10,000 characters"),
    ],
)
def test_a_bad_line_says_what_is_wrong(raw, said):
    (scored,) = scorer().score([raw])
    assert said in scored.error


def test_a_bad_line_keeps_what_its_author_wrote():
    (scored,) = scorer().score([line("x", lang="es", id=7)])
    assert scored.line["id"] == 7


def test_files_from_other_systems():
    heard = list(scorer().score([b"\xef\xbb\xbf" + line("too expensive") + b"\r\n", b"\r\n", line("fine") + b"\r\n"]))
    assert [(each.number, each.error, len(each.signals)) for each in heard] == [(1, "", 1), (3, "", 0)]
    assert list(scorer().score([])) == []


def test_an_agent_is_a_rep():
    heard = list(scorer().score([line("this is zero risk", speaker="agent"), line("this is zero risk")]))
    assert [[signal.label for signal in each.signals] for each in heard] == [["compliance.forbidden"], []]


def test_a_rule_of_a_stage_is_heard_in_every_stage():
    text = PLAYBOOK.replace(
        "when: {phrase: {any: [too expensive, 太贵了]}}", "when: {phrase: {any: [dear]}, stage: [close]}"
    )
    (heard,) = scorer(text).score([line("so dear")])
    assert [signal.label for signal in heard.signals] == ["objection.price"]


@pytest.mark.parametrize(
    ("label", "ours"),
    [
        ("obj_price", ("objection.price",)),
        ("objection.price", ("objection.price",)),
        ("obj_have_one", ("objection.competitor", "objection.no_need")),
        ("sop_opening", ("opening.intro", "opening.permission")),
        ("sop_consent", ("opening.permission",)),
        ("neutral_weather", ()),
        ("none", ()),
        ("obj_weather", None),
        ("nonsense", None),
    ],
)
def test_labels_of_other_files(label, ours):
    assert truth_of(label, KNOWN) == ours


def test_every_alias_means_something_in_the_shipped_packs():
    for name in shipped_packs():
        bench = Bench(None)
        book = find_playbook(name)
        known = Scorer({book.language: bench.setup(book)}).labels()
        assert [alias for alias in ALIASES if truth_of(alias.replace("*", "x"), known) is None] == []


def test_the_table_counts_what_is_found_missed_and_wrong():
    lines = [
        line("that is too expensive", label="obj_price"),
        line("too much for my purse", label=["obj_price"]),
        line("too expensive, said nobody", label="neutral_x"),
        line("too expensive", label="no_such_label"),
        line("too expensive"),
    ]
    one = scorer()
    fits, unknown = fit(list(one.score(lines)), one.labels())
    (price,) = fits
    assert (price.label, price.right, price.missed, price.wrong) == ("obj_price", 1, 1, 1)
    assert (price.precision, price.recall, price.f1) == (0.5, 0.5, 0.5)
    assert unknown == ["no_such_label"]
