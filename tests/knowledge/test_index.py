"""The right passage or none: with words alone, and with the real encoder on questions of both languages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.config import Settings
from copilot.engines.suite import load_encoder
from copilot.events import Snippet
from copilot.knowledge.index import Answer, Index, index_of
from copilot.knowledge.snippet import snippet
from copilot.language.normalise import normalise
from copilot.playbook.documents import passages_of, read_texts
from copilot.playbook.model import Knowledge, Passage
from copilot.signals.examples import stretches
from tests.knowledge.questions import EN, EN_NONE, ZH, ZH_NONE

EXAMPLES = Path(__file__).parents[2] / "docs/examples/knowledge"
NOTHING = np.zeros((0, 512), np.float32)
THRESHOLD = Knowledge().threshold
PASSAGES = (
    Passage(heading="Warranty", text="Panels: 25 years\nInverter: 12 years", source="a.md#warranty"),
    Passage(heading="安装时间", text="一天装完\n从签约到并网六到八周", source="b.md#安装时间"),
)


def test_shared_words_are_enough_when_there_is_no_encoder():
    index = Index(PASSAGES, None)
    found = index.search("what about the inverter warranty?", NOTHING)
    assert (found.passage.source, found.lines) == ("a.md#warranty", ("Inverter: 12 years", "Panels: 25 years"))
    assert found.score >= THRESHOLD
    assert index.search("安装时间要多久", NOTHING).passage.source == "b.md#安装时间"
    assert index.search("where do you live?", NOTHING).score < THRESHOLD
    assert Index((), None).search("what?", NOTHING) is None


@given(st.text(max_size=80))
def test_any_question_has_a_score_between_none_and_all(question):
    assert 0 <= Index(PASSAGES, None).search(question, NOTHING).score <= 1


def test_a_playbook_without_documents_has_no_index():
    class Book:
        knowledge = Knowledge()

    assert index_of(Book, None) is None


@pytest.mark.models
@pytest.mark.parametrize(
    ("folder", "asked", "unasked"), [("solar", EN, EN_NONE), ("solar-zh", ZH, ZH_NONE)], ids=["en", "zh"]
)
def test_real_questions_find_their_passage_and_others_none(folder, asked, unasked):
    encode = load_encoder(Settings()).encode
    index = Index(passages_of(read_texts(EXAMPLES / folder)), encode)

    def search(question: str) -> Answer:
        spans = stretches(normalise(question)) or ((0, len(question)),)
        return index.search(question, encode([question[start:end] for start, end in spans]))

    shown = [(search(question), source) for question, source in asked]
    shown = [(found, source) for found, source in shown if found.score >= THRESHOLD]
    right = sum(found.passage.source == source for found, source in shown)
    assert right / len(shown) >= 0.9
    assert right / len(asked) >= 0.7
    assert sum(search(question).score >= THRESHOLD for question in unasked) <= 1


def test_a_card_has_three_short_lines_of_text():
    lines = ("one", "<img src=x onerror=alert(1)> " + "word " * 60, "three\tand\x00more", "four")
    shown = snippet(Answer(passage=Passage(heading="h" * 200, text="t"), score=1.0, lines=lines, number=0))
    assert len(shown.lines) == 3
    assert shown.lines[0] == "one"
    assert shown.lines[1].startswith("<img src=x")
    assert shown.lines[2] == "three and more"
    assert max(map(len, (shown.headline, *shown.lines))) <= 100
    chinese = snippet(Answer(passage=Passage(heading="题", text="t"), score=1.0, lines=("字" * 200,), number=0))
    assert chinese == Snippet(headline="题", lines=("字" * 47 + "…",), source="题")
