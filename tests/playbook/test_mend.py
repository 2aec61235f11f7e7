"""An author with six typos hears of six, and of nothing that only follows from them."""

from __future__ import annotations

from itertools import combinations

import pytest

from copilot.errors import PlaybookError
from copilot.playbook.load import parse_playbook
from copilot.playbook.mend import MAX_MISTAKES, mend
from copilot.playbook.source import Source
from tests.playbook.samples import FULL, changed

TYPOS = [
    ("language: en", "language: english", "$.language"),
    ("version: 1.0.0", "version: 1.0", "$.version"),
    ("id: greeting\n    title: Greet", "id: greeting\n    titel: Greet", "$.steps[0].titel"),
    ("within_s: 20, warn_s", "within_s: 20s, warn_s", "$.steps[0].due.within_s"),
    ("requires: [greeting]", "requires: [greting]", "$.steps[1].requires[0]"),
    ("speaker: customer\n", "speaker: 客户\n", "$.signals[0].speaker"),
    ("{regex: two", "{regexp: two", "$.cues[1].when.all[0].seq.of[1].not.regexp"),
    ("{signal: price, interim: true}", "{signal: prise, interim: true}", "$.cues[0].when.signal"),
    (", at_s: 10", "", "$.cues[1].when.all[7].event"),
    ("    kind: info\n", "", "$.cues[1]"),
    ("{any: [bye]}", "{any: bye}", "$.ending.phrase.any"),
    ("{card: price,", "{card: prize,", "$.scenarios[0].expect[0].card"),
]


def paths(text: str) -> list[str]:
    with pytest.raises(PlaybookError) as caught:
        parse_playbook(text, "book.yaml")
    every = caught.value.all
    assert [each.line for each in every] == sorted(each.line for each in every)
    assert {each.file for each in every} == {"book.yaml"}
    return [each.path for each in every]


@pytest.mark.parametrize(("old", "new", "path"), TYPOS)
def test_one_mistake_is_one_error(old, new, path):
    assert paths(changed(old, new)) == [path]


def test_all_of_them_at_once():
    text = FULL
    for old, new, _ in TYPOS:
        assert old in text
        text = text.replace(old, new, 1)
    assert sorted(paths(text)) == sorted(path for _, _, path in TYPOS)


@pytest.mark.parametrize(("one", "other"), [*combinations(TYPOS, 2)])
def test_any_two_are_found_together(one, other):
    text = changed(one[0], one[1])
    assert other[0] in text
    assert sorted(paths(text.replace(other[0], other[1], 1))) == sorted((one[2], other[2]))


UNREADABLE = [
    ("signals:\n", "signal:\n", "$.signal"),
    ("  - id: price\n    speaker", "  - id: 嫌贵\n    speaker", "$.signals[0].id"),
    ("- id: price\n    speaker: customer\n    when", "- speaker: customer\n    when", "$.signals[0]"),
    ("product: [Fibre]", "Product: [Fibre]", "$.lexicons"),
]


@pytest.mark.parametrize(("old", "new", "path"), UNREADABLE)
def test_a_name_that_cannot_be_read_is_not_missed_elsewhere(old, new, path):
    assert paths(changed(old, new)) == [path]


@pytest.mark.parametrize("value", [None, "words", [], {}, {"stages": [3], "cues": {}}, {"lexicons": {"": 1}}])
def test_anything_can_be_mended(value):
    mended = mend(value)
    assert mended.playbook.schema == 1
    assert mended.complaints


def test_nobody_reads_a_thousand_errors():
    text = FULL + "\n".join(["  - {turns: [], expects: 1}"] * 1_000)
    assert len(paths(text)) == MAX_MISTAKES
    assert len(mend(Source(text).value).complaints) == MAX_MISTAKES
