from __future__ import annotations

import pytest

from copilot.review import forms


@pytest.mark.parametrize(
    "text", ["Uh-huh.", "Mm.", "OK!", "I see.", "Yeah, yeah.", "嗯。", "对对对", "是的。", "好的，", "这样啊"]
)
def test_backchannels_are_short_and_on_the_list(text):
    assert forms.is_backchannel(text, 799)
    assert not forms.is_backchannel(text, 800)


@pytest.mark.parametrize("text", ["No.", "Why?", "不要。", "好贵", "Sure thing, go on.", ""])
def test_short_words_with_content_are_turns(text):
    assert not forms.is_backchannel(text, 300)


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("What would you change?", "open"),
        ("Tell me, is it the price?", "open"),
        ("Is it the price?", "closed"),
        ("What we do is simple.", None),
        ("您平时最想练什么？", "open"),
        ("您平时最想练什么", "open"),
        ("您方便吗", "closed"),
        ("您有没有车", "closed"),
        ("您要年卡还是月卡？", "closed"),
        ("我不知道您说什么", None),
        ("就是这么", None),
        ("我们开到十点。", None),
        ("你贵姓呢？", "closed"),
    ],
)
def test_questions_are_told_by_their_form(sentence, kind):
    assert forms.question(sentence) == kind


@pytest.mark.parametrize("text", ["No, thanks.", "I don't want it.", "Please stop.", "不用了。", "我没钱", "算了吧"])
def test_refusals(text):
    assert forms.is_negative(text)


@pytest.mark.parametrize(
    "text", ["No problem!", "Why not?", "I wouldn't mind.", "没问题。", "不错", "是不是晚上也开", "Great."]
)
def test_harmless_negations_are_no_refusals(text):
    assert not forms.is_negative(text)


def test_spoken_length():
    assert forms.units("It's well-known, 3.5 percent.", "en") == 4
    assert forms.units("我们有 WiFi，每月99.5元。", "zh") == 8


def test_sentences_keep_their_mark_and_skip_noise():
    assert list(forms.sentences("Really? Yes. ... 好吗？好")) == ["Really?", "Yes.", "好吗？", "好"]
