"""What the rules of the shipped packs hear by themselves, without a model, in words their authors did not write."""

from __future__ import annotations

from functools import cache

import pytest

from copilot.events import Utterance
from copilot.playbook.compile import compile_playbook
from copilot.playbook.load import find_playbook
from copilot.signals.listener import Listener, prepare

HEARD = [
    ("en", "customer", "Honestly, we don't need anything bigger.", "objection.no_need"),
    ("en", "customer", "We don't need a second line, it's just the two of us.", "objection.no_need"),
    ("en", "customer", "Oh, no thanks.", "objection.no_need"),
    ("en", "customer", "Nah, thank you, bye.", "objection.no_need"),
    ("en", "customer", "Will it sync with our calendar?", "signal.question"),
    ("en", "customer", "Is that available in blue?", "signal.question"),
    ("en", "customer", "Do they charge extra for weekends?", "signal.question"),
    ("en", "customer", "Okay, could you tell me more?", "signal.buying"),
    ("en", "customer", "I'd like to know more.", "signal.buying"),
    ("en", "customer", "I think we'd better hold off until spring.", "objection.not_now"),
    ("en", "customer", "I've been told that before, and it turned out to be lies.", "objection.trust"),
    ("en", "rep", "Could I borrow three minutes of your day?", "opening.permission"),
    ("en", "rep", "Got a quick minute?", "opening.permission"),
    ("en", "rep", "Is it raining over there as well?", "rapport.small_talk"),
    ("zh", "customer", "不用了，谢谢啊。", "objection.no_need"),
    ("zh", "customer", "哦，不需要不需要。", "objection.no_need"),
    ("zh", "customer", "你们别再给我打电话了。", "objection.complaint"),
    ("zh", "customer", "你再给我讲细一点，多说点。", "signal.buying"),
    ("zh", "customer", "我还在单位上班呢。", "objection.not_now"),
    ("zh", "rep", "分摊下来一天才三块钱。", "objection.handled"),
]
UNHEARD = [
    ("en", "customer", "I don't need a receipt for that.", "objection.no_need"),
    ("en", "customer", "What do I need to bring along?", "objection.no_need"),
    ("en", "customer", "I'm not sure I heard that before the line dropped.", "objection.trust"),
    ("en", "customer", "Does it matter to you?", "signal.question"),
    ("en", "customer", "Do you take sugar in your tea?", "signal.buying"),
    ("en", "customer", "My brother was too busy to come.", "objection.not_now"),
    ("en", "rep", "It takes five minutes to set up.", "opening.permission"),
    ("en", "rep", "This snow could be heating your pool.", "rapport.small_talk"),
    ("zh", "customer", "不用谢，您慢走。", "objection.no_need"),
    ("zh", "customer", "面试要带什么证件？", "signal.buying"),
    ("zh", "customer", "好了别再打扑克了。", "objection.complaint"),
    ("zh", "customer", "我爸在上班。", "objection.not_now"),
    ("zh", "customer", "你是谁呀？", "objection.trust"),
    ("zh", "rep", "加一次油也就两百块钱。", "objection.handled"),
]


@cache
def plan(language):
    return compile_playbook(find_playbook(language=language))


def labels(language, speaker, text):
    ear = Listener(plan(language), prepare(plan(language), None), context={})
    said = Utterance(id="u1", speaker=speaker, start_ms=0, end_ms=2000, text=text, is_final=True)
    return {signal.label for signal in ear.hear(said, stage="discovery_pitch").signals}


@pytest.mark.parametrize(("language", "speaker", "text", "label"), HEARD)
def test_it_is_heard(language, speaker, text, label):
    assert label in labels(language, speaker, text)


@pytest.mark.parametrize(("language", "speaker", "text", "label"), UNHEARD)
def test_it_is_not_heard(language, speaker, text, label):
    assert label not in labels(language, speaker, text)


@pytest.mark.parametrize(("language", "text"), [("en", "No thanks."), ("zh", "不用了。")])
def test_before_anything_was_offered_a_no_alone_refuses_nothing(language, text):
    """Whoever asks "anything else?" hears it too."""
    ear = Listener(plan(language), prepare(plan(language), None), context={})
    said = Utterance(id="u1", speaker="customer", start_ms=0, end_ms=900, text=text, is_final=True)
    assert not ear.hear(said, stage="opening").signals
