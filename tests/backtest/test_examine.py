"""What lint says after listening: which lines bring up cards that nobody needs."""

from __future__ import annotations

import pytest

from copilot.backtest.examine import TOLD_LINES, background_lines, examine
from copilot.backtest.runs import Bench
from copilot.playbook.load import parse_playbook
from copilot.playbook.source import Source

BOOK = """
schema: 1
id: small
version: 1.0.0
title: Small
language: LANGUAGE
stages: [{id: opening, title: Opening}]
cues:
  - id: eager
    kind: objection
    cooldown_s: 0
    when: {phrase: {any: [WORD]}, speaker: customer}
    card: {headline: Too eager}
"""


@pytest.mark.parametrize(("language", "word"), [("en", "the"), ("zh", "我")])
def test_a_noisy_cue_names_lines_that_bring_it_up(language, word):
    text = BOOK.replace("LANGUAGE", language).replace("WORD", word)
    book = parse_playbook(text)
    (noisy, *_) = examine(book, Bench(None).setup(book), None, Source(text))
    assert (noisy.code, noisy.severity, noisy.path, noisy.line) == ("cue.noisy", "warning", "$.cues[0].when", 12)
    told = [line for line in background_lines(language) if repr(line) in noisy.message]
    assert len(told) == TOLD_LINES
    assert all(word in line.lower() for line in told)


def test_a_quiet_cue_is_not_mentioned():
    text = BOOK.replace("LANGUAGE", "en").replace("WORD", "zyzzyva")
    book = parse_playbook(text)
    assert examine(book, Bench(None).setup(book), None, Source(text)) == []
