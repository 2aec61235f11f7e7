"""All regexes of a plan at once find what each alone does, and never lose one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.playbook.compile import compile_playbook
from copilot.playbook.load import find_playbook
from copilot.playbook.walk import walk
from copilot.signals.rules import Patterns, gathered

REGEXES = tuple(
    dict.fromkeys(
        trigger.regex
        for language in ("en", "zh")
        for rule in compile_playbook(find_playbook(language=language)).rules
        for _, trigger in walk(rule.trigger)
        if trigger.regex
    )
)
ALONE = [(regex, gathered((regex,))) for regex in REGEXES]
WORDS = (
    *"what if I can't you're my our name company price too much busy later ?".split(),  # noqa: SIM905
    *"公司 多少钱 太贵 考虑 方便 录音 我是 ？".split(),  # noqa: SIM905
)


@given(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join))
def test_all_at_once_finds_what_each_alone_does(text):
    assert gathered(REGEXES).within(text) == {regex for regex, alone in ALONE if alone.within(text)}


@pytest.mark.parametrize(
    ("text", "found"),
    [("Is it DEAR?", {"dear", r"\?$"}), ("你们’re", {"们're"}), ("", set())],
    ids=["case", "apostrophe", "nothing"],
)
def test_case_and_apostrophes_do_not_matter(text, found):
    assert Patterns(("dear", r"\?$", "们're")).within(text) == found


def test_what_takes_too_much_memory_together_is_looked_for_one_by_one():
    regexes = tuple(f"(?:x{{100}}y{number}){{5}}" for number in range(300))

    assert Patterns(regexes).within("nothing of the kind") == set(regexes)
