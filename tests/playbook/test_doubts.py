"""Lint's second look: contradictions, steps nobody can do, cues that clash."""

import pytest

from copilot.playbook.lint import lint
from copilot.playbook.load import interpret
from copilot.playbook.source import Source
from tests.call.rig import PLAYBOOK

PRICE = "when: {phrase: {any: [too expensive, 太贵了]}}"
DEAR = "{phrase: {any: [dear]}"
ASK = "done_when: {phrase: {any: [shall i book, 给您办理]}}"
CASES = [
    (PRICE, f"when: {{speaker: rep, any: [{DEAR}, speaker: customer}}]}}", "trigger.dead", "$.signals[0].when.any[0]"),
    (PRICE, f"when: {{stage: [opening], any: [{DEAR}, stage: [close]}}]}}", "trigger.dead", "$.signals[0].when.any[0]"),
    (ASK, "done_when: {signal: objection.price}", "step.unreachable", "$.steps[1].done_when"),
    ("{headline: Take that promise back}", "{headline: Say who you are}", "cue.alike", "$.cues[2].card.headline"),
    ("  - id: close.ask\n", "  - id: opening_intro\n", "id.alike", "$.steps[1].id"),
    ("ttl_s: 10", "ttl_s: 10\n    cooldown_s: 2", "cue.cooldown_short", "$.cues[0].cooldown_s"),
]


def found(text):
    source = Source(text)
    return {(finding.code, finding.path): finding for finding in lint(interpret(source), source)}


@pytest.mark.parametrize(("old", "new", "code", "path"), CASES)
def test_each_doubt(old, new, code, path):
    assert old in PLAYBOOK
    finding = found(PLAYBOOK.replace(old, new))[code, path]
    assert finding.line > 1


def test_nothing_is_said_of_a_playbook_without_them():
    codes = {code for code, _ in found(PLAYBOOK)}
    assert not codes & {case[2] for case in CASES}


def test_cooldowns_of_a_group_that_differ():
    text = PLAYBOOK.replace("kind: objection\n", "kind: objection\n    group: g\n").replace(
        "kind: sop\n", "kind: sop\n    group: g\n    cooldown_s: 60\n"
    )
    assert ("cue.cooldown_clash", "$.cues[2].cooldown_s") in found(text)
